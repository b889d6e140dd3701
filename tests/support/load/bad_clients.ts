/**
 * Clients that a TLS server gets nothing from, in a process of their own: who connects and says nothing, who stops after
 * its hello, who asks for a long answer and doesn't read it. Who is hung up on comes again after a while. Run as
 * `bad_clients.ts PORT SILENT HALFWAY DEAF CA_FILE`.
 */
import { writeAll } from "../backends.ts";
import { helloFixtures } from "../client_hello.ts";
import { say, toldToEnd } from "./told.ts";

/** How often they have come. */
export type BadReport = { readonly connections: number };

const AGAIN_MS = 3_000;
/** Connections that are opened at the same time. */
const AT_ONCE = 200;

let connections = 0;
let opening = 0;
let ending = false;
const [port, silent, halfway, deaf] = Deno.args.map(Number);
const HELLO = helloFixtures()[0]!.bytes;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Comes, does its part, and waits until it is hung up on, again and again. */
async function stay(act: (conn: Deno.Conn) => Promise<unknown>, ca?: string): Promise<void> {
  while (!ending) {
    while (opening >= AT_ONCE) await pause(10);
    opening++;
    connections++;
    try {
      using conn = await (ca === undefined
        ? Deno.connect({ hostname: "127.0.0.1", port: port! })
        : Deno.connectTls({ hostname: "localhost", port: port!, caCerts: [ca] }))
        .finally(() =>
          opening--
        );
      await act(conn);
    } catch {
      // it comes again
    }
    await pause(AGAIN_MS);
  }
}

if (import.meta.main) {
  const ca = await Deno.readTextFile(Deno.args[4]!);
  const hangUp = async (conn: Deno.Conn) => {
    while (await conn.read(new Uint8Array(64)) !== null);
  };
  for (let i = 0; i < deaf!; i++) {
    void stay(async (conn) => {
      await writeAll(conn, new TextEncoder().encode("long\n"));
      while (!ending) await pause(1_000);
    }, ca);
  }
  await pause(2_000); // those have to be served first
  for (let i = 0; i < silent!; i++) void stay(hangUp);
  for (let i = 0; i < halfway!; i++) {
    void stay(async (conn) => {
      await writeAll(conn, HELLO);
      await hangUp(conn);
    });
  }
  await pause(1_000);
  say({});
  await toldToEnd();
  ending = true;
  say({ connections } satisfies BadReport);
  Deno.exit();
}
