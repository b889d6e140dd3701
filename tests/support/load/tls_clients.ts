/**
 * Clients of a TLS server, in a process of their own, each with a full handshake, a byte, and the byte back. Run as
 * `tls_clients.ts PORT RATE CA_FILE`.
 */
import { writeAll } from "../backends.ts";
import { say, toldToEnd } from "./told.ts";

/** What became of them. */
export type TlsReport = {
  readonly clients: number;
  readonly served: number;
  /** How many failed with which error. */
  readonly failed: Readonly<Record<string, number>>;
  readonly seconds: number;
  readonly longestMs: number;
};

const TICK_MS = 10;

let clients = 0;
let served = 0;
let longestMs = 0;
let ending = false;
const failed: Record<string, number> = {};
const open = new Set<Promise<void>>();
const [port, rate] = Deno.args.map(Number);

async function come(caCerts: string[]): Promise<void> {
  clients++;
  const since = performance.now();
  try {
    using conn = await Deno.connectTls({ hostname: "localhost", port: port!, caCerts });
    await writeAll(conn, Uint8Array.of(7));
    if (await conn.read(new Uint8Array(1)) !== 1) throw new Error("no byte came back");
    served++;
  } catch (error) {
    const { name, message } = error as Error;
    const why = `${name}: ${message}`;
    failed[why] = (failed[why] ?? 0) + 1;
  }
  longestMs = Math.max(longestMs, Math.round(performance.now() - since));
}

if (import.meta.main) {
  const caCerts = [await Deno.readTextFile(Deno.args[2]!)];
  await come(caCerts); // the first one takes longer
  clients = served = longestMs = 0;
  say({});
  const since = performance.now();
  void toldToEnd().then(() => ending = true);
  while (!ending) {
    const due = rate! * (performance.now() - since) / 1000;
    while (clients < due) {
      const client = come(caCerts).finally(() => open.delete(client));
      open.add(client);
    }
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  await Promise.all(open);
  const seconds = (performance.now() - since) / 1000;
  say({ clients, served, failed, seconds, longestMs } satisfies TlsReport);
  Deno.exit();
}
