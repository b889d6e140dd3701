/**
 * Datagrams from many sources, in a process of its own: each source sends some and is never heard of again. Run as
 * `udp_flood.ts PORT DATAGRAMS SOURCES`. It says when it is ready, begins with the first line that it reads, or at its
 * end, and says then what it has sent.
 */
import { say, toldToEnd } from "./told.ts";

/** What it has done. */
export type FloodReport = { readonly sent: number; readonly sources: number; readonly ms: number };

const [port, datagrams, sources] = Deno.args.map(Number) as [number, number, number];
const ADDRESSES = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"];
/** Below those that the system gives to others. */
const FIRST_PORT = 2_000;
const payload = new TextEncoder().encode("flood");

/** A source that nobody else has; undefined where its port is taken. */
function source(index: number): Deno.DatagramConn | undefined {
  const hostname = ADDRESSES[index % ADDRESSES.length]!;
  const own = FIRST_PORT + Math.floor(index / ADDRESSES.length);
  try {
    return Deno.listenDatagram({ transport: "udp", hostname, port: own });
  } catch {
    return undefined; // somebody has it
  }
}

if (import.meta.main) {
  say({});
  await toldToEnd();
  const since = performance.now();
  const to: Deno.NetAddr = { transport: "udp", hostname: "127.0.0.1", port };
  const each = Math.ceil(datagrams / sources);
  let sent = 0;
  let used = 0;
  for (let i = 0; i < sources + 1_000 && used < sources; i++) {
    const socket = source(i);
    if (socket === undefined) continue;
    used++;
    for (let n = 0; n < each; n++, sent++) await socket.send(payload, to);
    socket.close();
  }
  const report: FloodReport = { sent, sources: used, ms: Math.round(performance.now() - since) };
  say(report);
}
