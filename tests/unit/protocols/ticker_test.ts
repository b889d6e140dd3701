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

Deno.test("disposing a ticker ends deadlines and waits", async () => {
  const ticker = new Ticker(() => performance.now(), () => {});
  const signal = ticker.deadline(60_000);
  const waiting = ticker.next();
  ticker[Symbol.dispose]();
  assert.equal(signal.aborted, true);
  await waiting;
});
