import assert from "node:assert/strict";
import { echo, until, writeAll } from "../support/backends.ts";
import { connect, Load, untilEnd } from "../support/clients.ts";
import { hasProc } from "../support/host.ts";
import { staticServer } from "../support/static_server.ts";
import { shell, Twixt } from "../support/twixt.ts";

const DEATHS = 3;

Deno.test("a worker that dies under load is replaced: the process goes on and counts right", {
  ignore: !hasProc,
  timeout: 60_000,
}, async () => {
  await using backend = echo();
  await using twixt = await Twixt.start({
    config: {
      workers: 2,
      api: { enabled: true, bind: "127.0.0.1:0" },
      servers: {
        web: staticServer([backend], { max_connections: 100 }),
        other: staticServer([backend]),
      },
    },
    env: { TWIXT_TEST_FAULT: "die" },
  });
  const port = twixt.port("web");
  const before = await twixt.descriptors();
  assert.equal(await listeners(port), 2);

  await using load = new Load(20, () => exchange(port), 5);
  for (let death = 1; death <= DEATHS; death++) await dieUnder(load, twixt, death);
  await load.stop();
  await until(async () => await active(twixt) === 0, 5_000, "all counters return to zero");

  // every place is free again: not one of them is counted for the dead
  const all = await Promise.all(Array.from({ length: 100 }, () => connect(port)));
  try {
    await Promise.all(all.map((conn) => said(conn, 7)));
  } finally {
    for (const conn of all) conn.close();
  }
  await until(async () => await active(twixt) === 0, 5_000, "all counters return to zero");
  console.log(`${DEATHS} deaths under load: ${load.served} served, ${load.failures.length} lost`);
  await twixt.descriptorsReturn(before);
});

/** Makes a worker die with sessions open, and waits until clients are served as before. */
async function dieUnder(load: Load, twixt: Twixt, death: number): Promise<void> {
  const port = twixt.port("web");
  const [served, lost] = [load.served, load.failures.length];
  await until(() => load.served > served + 200);
  await using stack = new AsyncDisposableStack();
  for (let i = 0; i < 10; i++) {
    const conn = await connect(port);
    const ended = untilEnd(conn);
    stack.defer(async () => {
      conn.close();
      await ended;
    });
  }
  twixt.signal("SIGQUIT");
  const died = () => twixt.lines.filter(({ msg }) => msg.startsWith("a worker died")).length;
  await until(() => died() === death, 5_000, `death ${death} in the log`);
  for (const server of ["web", "other"]) {
    const both = async () => await listeners(twixt.port(server)) === 2;
    await until(both, 10_000, `two listeners of ${server}`);
  }
  const then = load.served;
  await until(() => load.served > then + 200);
  // those that were open or waited for the worker that died
  assert(load.failures.length - lost <= 20, `${load.failures.length - lost} failed`);
}

async function exchange(port: number): Promise<void> {
  using conn = await connect(port);
  await said(conn, 42);
}

/** Sends a byte and expects it back. */
async function said(conn: Deno.Conn, byte: number): Promise<void> {
  await writeAll(conn, Uint8Array.of(byte));
  const buffer = new Uint8Array(8);
  assert.equal(await conn.read(buffer), 1, "it ended without an answer");
  assert.equal(buffer[0], byte);
}

/** Sessions that are counted as open, of the server and its backend. */
async function active(twixt: Twixt): Promise<number> {
  const stats = await twixt.stats("web");
  return stats.active_connections + stats.backends[0].stats.active_connections;
}

/** Sockets that listen on a port: one of each worker. */
async function listeners(port: number): Promise<number> {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  return Number(await shell(`grep -c ': 0100007F:${hex} 00000000:0000 0A' /proc/net/tcp`));
}
