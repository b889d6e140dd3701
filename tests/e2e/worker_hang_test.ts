import assert from "node:assert/strict";
import { ask, greeter } from "../support/backends.ts";
import { pause } from "../support/clients.ts";
import { staticServer } from "../support/static_server.ts";
import { Twixt } from "../support/twixt.ts";

const WATCHDOG_MS = 2_000;
const timeout = 30_000;

Deno.test("a worker that hangs ends the process with code 70 and a line that says so", {
  timeout,
}, async () => {
  await using red = greeter("red");
  await using twixt = await Twixt.start({
    config: { workers: 2, watchdog: "2s", servers: { web: staticServer([red]) } },
    env: { TWIXT_TEST_FAULT: "hang" },
  });
  assert.equal(await ask(twixt.port("web")), "red");
  const since = performance.now();
  twixt.signal("SIGQUIT");
  const code = await twixt.ended();
  const after = performance.now() - since;
  console.log(`a hung worker, watchdog 2s: exit code ${code} after ${Math.round(after)} ms`);
  assert.equal(code, 70);
  assert(after >= WATCHDOG_MS - 300 && after <= WATCHDOG_MS + 1_000, `after ${after} ms`);
  assert.match(
    twixt.err.join("\n"),
    /^error: worker 0 hangs \(no heartbeat for 2000 ms\).*code 70.*$/,
  );
});

Deno.test("a process that was suspended for longer than the watchdog's time goes on", {
  timeout,
}, async () => {
  await using red = greeter("red");
  await using twixt = await Twixt.start({
    config: { workers: 2, watchdog: "2s", servers: { web: staticServer([red]) } },
  });
  const before = await twixt.descriptors();
  let ended = false;
  void twixt.ended().then(() => ended = true);
  for (let round = 0; round < 2; round++) {
    twixt.signal("SIGSTOP");
    await pause(WATCHDOG_MS + 1_000);
    const waiting = ask(twixt.port("web")); // in the kernel's queue
    twixt.signal("SIGCONT");
    assert.equal(await waiting, "red");
    await pause(500);
  }
  await pause(WATCHDOG_MS); // so long it would take the watchdog to judge
  assert.equal(ended, false);
  for (let i = 0; i < 10; i++) assert.equal(await ask(twixt.port("web")), "red");
  assert.deepEqual(twixt.err, []);
  await twixt.descriptorsReturn(before);
});
