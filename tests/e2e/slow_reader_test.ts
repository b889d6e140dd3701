import assert from "node:assert/strict";
import { TcpBackend, writeAll } from "../support/backends.ts";
import { connect, pause } from "../support/clients.ts";
import { hasProc } from "../support/host.ts";
import { staticServer } from "../support/static_server.ts";
import { Twixt } from "../support/twixt.ts";

const MIB = 1 << 20;
const BYTES = 1 << 30;
const BYTES_PER_SECOND = 32 * MIB;
/** What may come on top of the resident memory at rest. */
const ALLOWED = 64 * MIB;

Deno.test("1 GiB to a reader at 32 MiB/s takes at most 64 MiB more memory than rest", {
  ignore: !hasProc,
  timeout: 120_000,
}, async () => {
  await using backend = new TcpBackend(async (conn) => {
    const chunk = new Uint8Array(MIB);
    for (let sent = 0; sent < BYTES; sent += chunk.length) await writeAll(conn, chunk);
  });
  await using twixt = await Twixt.start({
    config: { workers: 2, servers: { web: staticServer([backend]) } },
  });
  const before = await twixt.descriptors();
  const idle = await twixt.resident();

  let got = 0;
  let most = 0;
  const startedAt = performance.now();
  const conn = await connect(twixt.port("web"));
  const watching = (async () => {
    for (; got < BYTES; await pause(250)) most = Math.max(most, await twixt.resident());
  })();
  try {
    got = await readSlowly(conn);
  } finally {
    conn.close();
    got = Math.max(got, BYTES); // ends the watch
    await watching;
  }
  const seconds = (performance.now() - startedAt) / 1000;
  const mib = (bytes: number) => Math.round(bytes / MIB);
  console.log(
    `1 GiB in ${seconds.toFixed(1)} s: ${mib(idle)} MiB resident at rest, ` +
      `${mib(most)} at most, ${mib(most - idle)} more`,
  );
  assert.equal(got, BYTES);
  assert(most <= idle + ALLOWED, `${mib(most - idle)} MiB more than at rest`);
  await twixt.descriptorsReturn(before);
});

/** Reads to the end, never faster than it may. Returns the number of bytes. */
async function readSlowly(conn: Deno.Conn): Promise<number> {
  const buffer = new Uint8Array(MIB);
  const startedAt = performance.now();
  let bytes = 0;
  for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
    bytes += n;
    const aheadMs = bytes / BYTES_PER_SECOND * 1000 - (performance.now() - startedAt);
    if (aheadMs > 10) await pause(aheadMs);
  }
  return bytes;
}
