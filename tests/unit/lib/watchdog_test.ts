import assert from "node:assert/strict";
import { Watchdog } from "../../../lib/watchdog.ts";
import { counters } from "../../support/members.ts";

Deno.test("the watchdog finds a worker that doesn't tick for the limit, counted in its own ticks", () => {
  const cells = counters(2);
  const watchdog = new Watchdog(cells, 1000, 250);
  const ticks = Array.from({ length: 6 }, () => {
    cells.beat(0);
    return watchdog.tick([0, 1]);
  });
  assert.deepEqual(ticks, [undefined, undefined, undefined, undefined, 1, 1]);
});

Deno.test("the watchdog doesn't judge workers that aren't running, and none with limit 0", () => {
  const cells = counters(1);
  const watchdog = new Watchdog(cells, 500, 250);
  for (let i = 0; i < 10; i++) assert.equal(watchdog.tick([]), undefined);
  const off = new Watchdog(cells, 0, 250);
  for (let i = 0; i < 10; i++) assert.equal(off.tick([0]), undefined);
});

Deno.test("a worker that went on in time starts anew", () => {
  const cells = counters(1);
  const watchdog = new Watchdog(cells, 500, 250);
  assert.deepEqual([watchdog.tick([0]), watchdog.tick([0])], [undefined, undefined]);
  cells.beat(0);
  assert.deepEqual([watchdog.tick([0]), watchdog.tick([0]), watchdog.tick([0])], [
    undefined,
    undefined,
    0,
  ]);
});
