import assert from "node:assert/strict";
import { TICK_MS, Ticker } from "../../../protocols/ticker.ts";

Deno.test("a deadline never fires early, and at the latest two ticks late", async () => {
  using ticker = new Ticker(() => performance.now(), () => {});
  await ticker.next();
  await new Promise((resolve) => setTimeout(resolve, TICK_MS / 2));
  const before = performance.now();
  const signal = ticker.deadline(250);
  assert.equal(ticker.deadline(250), signal, "one controller a tick");
  await new Promise((resolve) => signal.addEventListener("abort", resolve));
  const elapsed = performance.now() - before;
  assert.ok(elapsed >= 250 && elapsed < 250 + 3 * TICK_MS, `${elapsed} ms`);
});

Deno.test("a deadline that is asked for while a tick is late doesn't fire early either", async () => {
  let time = 0;
  using ticker = new Ticker(() => time, () => {});
  time = 1_000;
  const signal = ticker.deadline(500);
  assert.equal(ticker.deadline(500), signal, "one controller a tick");
  const fired: [number, boolean][] = [];
  for (time of [1_000, 1_499, 1_600]) {
    await ticker.next();
    fired.push([time, signal.aborted]);
  }
  assert.deepEqual(fired, [[1_000, false], [1_499, false], [1_600, true]]);
});

Deno.test("disposing a ticker ends deadlines and waits", async () => {
  const ticker = new Ticker(() => performance.now(), () => {});
  const signal = ticker.deadline(60_000);
  const waiting = ticker.next();
  ticker[Symbol.dispose]();
  assert.equal(signal.aborted, true);
  await waiting;
});
