/** Backends that echo, in a process of their own. Run as `echoes.ts COUNT`. */
import { TcpBackend, writeAll } from "../backends.ts";
import { say, toldToEnd } from "./told.ts";

/** Where they listen. */
export type EchoesReady = { readonly ports: readonly number[] };

/** Connections that each has had. */
export type EchoesReport = { readonly counts: readonly number[] };

/** With a small buffer: 1,000 connections have one each, and short ones get one and leave. */
async function echo(conn: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(1024);
  for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
    await writeAll(conn, buffer.subarray(0, n));
  }
}

if (import.meta.main) {
  const backends = Array.from({ length: Number(Deno.args[0]) }, () => new TcpBackend(echo));
  say({ ports: backends.map(({ port }) => port) } satisfies EchoesReady);
  await toldToEnd();
  say({ counts: backends.map(({ count }) => count) } satisfies EchoesReport);
  Deno.exit();
}
