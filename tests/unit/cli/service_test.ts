import assert from "node:assert/strict";
import { signsOfLife, takeServiceEnv } from "../../../cli/service.ts";
import { counterBuffer, Counters } from "../../../lib/stats/counters.ts";

const PID = 42;

function take(env: Record<string, string>) {
  const map = new Map(Object.entries(env));
  const taken = takeServiceEnv(map, PID);
  return { ...taken, left: [...map.keys()] };
}

Deno.test("takeServiceEnv() leaves nothing to the programs that Twixt runs", () => {
  const env = {
    NOTIFY_SOCKET: "/run/notify",
    WATCHDOG_USEC: "2500000",
    WATCHDOG_PID: "42",
    PATH: "/bin",
  };
  assert.deepEqual(take(env), {
    notifySocket: "/run/notify",
    watchdogMs: 2_500,
    left: ["PATH"],
  });
});

Deno.test.each([
  { env: {}, watchdogMs: undefined },
  { env: { WATCHDOG_USEC: "1000000" }, watchdogMs: 1_000 },
  { env: { WATCHDOG_USEC: "1000000", WATCHDOG_PID: "43" }, watchdogMs: undefined },
  { env: { WATCHDOG_USEC: "0" }, watchdogMs: undefined },
  { env: { WATCHDOG_USEC: "soon" }, watchdogMs: undefined },
  { env: { WATCHDOG_USEC: "", NOTIFY_SOCKET: "" }, watchdogMs: undefined },
])("takeServiceEnv() of $env: the watchdog's time is $watchdogMs ms", ({ env, watchdogMs }) => {
  const { left: _left, ...taken } = take(env as Record<string, string>);
  assert.deepEqual(taken, { notifySocket: undefined, watchdogMs });
});

Deno.test("signsOfLife() gives none while a worker is silent for half of the manager's time", () => {
  const counters = new Counters(counterBuffer(2), 2, 2);
  let signs = 0;
  const service = { watchdogMs: 2_000, alive: () => void signs++ };
  const tick = signsOfLife(service, { counters, workers: { running: () => [0, 1] } }, 250);
  const rounds = (count: number, ...beating: number[]): number => {
    signs = 0;
    for (let i = 0; i < count; i++) {
      for (const worker of beating) counters.beat(worker);
      tick();
    }
    return signs;
  };
  assert.equal(rounds(8, 0, 1), 8);
  assert.equal(rounds(8, 1), 3); // worker 0 has been silent for 250, 500, 750 ms, then too long
  assert.equal(rounds(2, 0, 1), 2);
});
