import assert from "node:assert/strict";
import { echo, until, writeAll } from "../support/backends.ts";
import { spawnBackend } from "../support/backend_process.ts";
import { connect, Load, pause } from "../support/clients.ts";
import { staticServer } from "../support/static_server.ts";
import { Twixt } from "../support/twixt.ts";

const INTERVAL_MS = 1_000;
const TIMEOUT_MS = 500;

Deno.test("kill -9 of one of 3 backends under load fails no client that comes after it", {
  timeout: 60_000,
}, async () => {
  await using victim = await spawnBackend();
  await using a = echo();
  await using b = echo();
  const healthcheck = {
    kind: "ping",
    interval: `${INTERVAL_MS}ms`,
    timeout: `${TIMEOUT_MS}ms`,
  };
  await using twixt = await Twixt.start({
    config: {
      workers: 2,
      api: { enabled: true, bind: "127.0.0.1:0" },
      servers: { web: staticServer([`127.0.0.1:${victim.port}`, a, b], { healthcheck }) },
    },
  });
  const before = await twixt.descriptors();
  const port = twixt.port("web");
  await using load = new Load(20, async () => {
    using conn = await connect(port);
    await writeAll(conn, Uint8Array.of(42));
    const buffer = new Uint8Array(8);
    const length = await conn.read(buffer);
    assert.equal(length, 1, "it ended without an answer");
    assert.equal(buffer[0], 42);
  }, 10);
  await until(() => load.served > 1_000);
  assert.deepEqual(load.failures, []);
  assert.equal(await isLive(twixt, victim.port), true);

  const killedAt = performance.now();
  victim.child.kill("SIGKILL");
  await victim.child.status;
  const reapedAt = performance.now();
  const down = async () => !await isLive(twixt, victim.port);
  await until(down, 10_000, "live is false");
  const downAfter = performance.now() - killedAt;
  const served = load.served;
  await pause(1_500); // more clients, now that the checks know
  await load.stop();

  const later = load.failures.filter(({ startedAt }) => startedAt > reapedAt);
  console.log(
    `kill -9 under load: ${load.served} served, ${load.served - served} of them after the flip, ` +
      `${load.failures.length} lost that were open, ${later.length} lost that came later; ` +
      `live is false after ${Math.round(downAfter)} ms`,
  );
  assert.deepEqual(later, []);
  assert(load.failures.length <= 20, "no more can be lost than were open");
  // 200 ms for asking the API
  assert(downAfter <= INTERVAL_MS + TIMEOUT_MS + 200, `live for ${downAfter} ms`);
  await twixt.logged(({ msg, backend }) =>
    msg === "backend is down" && backend === `127.0.0.1:${victim.port}`
  );

  await using _again = await spawnBackend(victim.port);
  await until(() => isLive(twixt, victim.port), 10_000, "live is true again");
  await twixt.descriptorsReturn(before);
});

async function isLive(twixt: Twixt, port: number): Promise<boolean> {
  const { backends } = await twixt.stats("web");
  // deno-lint-ignore no-explicit-any
  return backends.find((backend: any) => backend.port === String(port)).stats.live;
}
