import assert from "node:assert/strict";
import { drainStatus, tellProgress } from "../../../cli/drain_progress.ts";
import { ManualClock } from "../../support/clock.ts";
import { MemoryLog } from "../../support/log.ts";

function drain(limitMs?: number) {
  const [clock, log, stop] = [new ManualClock(), new MemoryLog(), new AbortController()];
  const state = { open: 2, statuses: [] as string[] };
  const status = (text: string) => state.statuses.push(text);
  const open = () => state.open;
  const done = tellProgress({ open, limitMs, clock, log, status }, stop.signal);
  const end = () => {
    stop.abort();
    return done;
  };
  return { clock, log, state, end };
}

Deno.test("a drain is told of once a second, with what is open and the time left", async () => {
  const { clock, log, state, end } = drain(30_000);
  await clock.advance(1_000);
  state.open = 1;
  await clock.advance(1_500);
  assert.deepEqual(log.lines, [
    "info stopping open=2 left_ms=29000",
    "info stopping open=1 left_ms=28000",
  ]);
  assert.deepEqual(state.statuses, [
    "stopping: 2 sessions open, 29 s left",
    "stopping: 1 session open, 28 s left",
  ]);
  await end();
  await clock.advance(5_000);
  assert.equal(log.lines.length, 2);
});

Deno.test("a drain with nothing to wait for, or one that ends at once, isn't told of", async () => {
  const { clock, log, state, end } = drain(30_000);
  state.open = 0;
  await clock.advance(3_000);
  await end();
  const short = drain(30_000);
  await short.end();
  assert.deepEqual([...log.lines, ...short.log.lines], []);
});

Deno.test("a drain without a limit is told of once a second for a minute, then once a minute", async () => {
  const { clock, log, state, end } = drain();
  await clock.advance(60_000);
  assert.equal(log.lines.length, 60);
  assert.equal(log.lines[0], "info stopping open=2");
  await clock.advance(10 * 60_000);
  assert.equal(log.lines.length, 70);
  assert.equal(state.statuses.at(-1), "stopping: 2 sessions open");
  await end();
});

Deno.test("a drain's time left is never less than none", async () => {
  const { clock, log, end } = drain(1_500);
  await clock.advance(2_000);
  assert.equal(log.lines.at(-1), "info stopping open=2 left_ms=0");
  assert.equal(drainStatus(3, 200), "stopping: 3 sessions open, 1 s left");
  await end();
});
