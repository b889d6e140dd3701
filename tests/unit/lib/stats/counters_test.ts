import assert from "node:assert/strict";
import { counterBuffer, Counters } from "../../../../lib/stats/counters.ts";
import { DOWN, DRAINING, RX, SLOTS, TOTAL, UNFINISHED } from "../../../../lib/stats/layout.ts";
import { rate } from "../../../../lib/stats/rates.ts";
import { Slots } from "../../../../lib/stats/slots.ts";

/** Two workers and a control plane over one buffer. */
function three(): [Counters, Counters, Counters] {
  const buffer = counterBuffer(2);
  return [0, 1, 2].map((row) => new Counters(buffer, 2, row)) as [Counters, Counters, Counters];
}

Deno.test("take() holds a limit over all workers, and release() makes room again", () => {
  const [a, b] = three();
  assert.deepEqual([a.take(5, 2), b.take(5, 2), a.take(5, 2), b.take(5, 2)], [
    true,
    true,
    false,
    false,
  ]);
  assert.equal(a.active(5), 2);
  b.release(5);
  assert.equal(a.take(5, 2), true);
});

Deno.test("take() with limit 0 always counts", () => {
  const [a] = three();
  for (let i = 0; i < 100; i++) assert.equal(a.take(7, 0), true);
  assert.equal(a.active(7), 100);
});

Deno.test("sum() adds the rows up, cell by cell and slot by slot", () => {
  const [a, b, control] = three();
  a.add(3, RX, 10);
  b.add(3, RX, 5);
  b.add(4, RX, 100);
  b.add(3, TOTAL);
  assert.deepEqual([control.sum(3, RX), control.sum(4, RX), control.sum(3, TOTAL)], [15, 100, 1]);
});

Deno.test("retire() takes a dead worker's sessions off and keeps what it has counted", () => {
  const [a, b, control] = three();
  a.take(3, 0);
  a.take(3, 0);
  b.take(3, 0);
  a.add(3, RX, 77);
  a.add(3, UNFINISHED, 2);
  a.add(SLOTS - 1, RX, 1);
  control.retire(0);
  assert.deepEqual([control.active(3), control.sum(3, RX), control.sum(SLOTS - 1, RX)], [1, 77, 1]);
  control.retire(0);
  assert.deepEqual([control.active(3), control.sum(3, RX)], [1, 77]);
  assert.equal(control.sum(3, UNFINISHED), 0, "its connections are closed");
});

Deno.test("flags are set and cleared one by one, for all at once", () => {
  const [a, b] = three();
  a.setFlag(9, DOWN, true);
  a.setFlag(9, DRAINING, true);
  assert.equal(b.flags(9), DOWN | DRAINING);
  b.setFlag(9, DOWN, false);
  assert.equal(a.flags(9), DRAINING);
});

Deno.test("turn() counts on over all workers and never gets negative", () => {
  const [a, b] = three();
  assert.deepEqual([a.turn(2), b.turn(2), a.turn(2)], [0, 1, 2]);
});

Deno.test("capacity, heartbeats and seen versions are shared and apart", () => {
  const [a, b, control] = three();
  control.capacity = 123;
  a.beat(0);
  b.beat(1);
  b.beat(1);
  b.setSeen(1, 9);
  assert.deepEqual([a.capacity, control.beats(0), control.beats(1)], [123, 1, 2]);
  assert.deepEqual([control.seen(0), control.seen(1)], [0, 9]);
  assert.deepEqual([control.active(0), control.flags(0)], [0, 0]);
});

Deno.test("a slot given back is used again only when nobody can be using it", () => {
  const [a, , control] = three();
  const slots = new Slots(control);
  const slot = slots.take()!;
  a.take(slot, 0);
  a.add(slot, RX, 5);
  slots.give(slot, 4);
  slots.sweep(3);
  assert.notEqual(slots.take(), slot, "workers may still use a table with it");
  slots.sweep(4);
  assert.notEqual(slots.take(), slot, "a session is still counted on it");
  a.release(slot);
  a.add(slot, UNFINISHED);
  slots.sweep(4);
  assert.notEqual(slots.take(), slot, "a handshake is still counted on it");
  a.add(slot, UNFINISHED, -1);
  slots.sweep(4);
  assert.equal(slots.take(), slot);
  assert.equal(control.sum(slot, RX), 0);
});

Deno.test("slots run out with undefined, not with an error", () => {
  const [, , control] = three();
  const slots = new Slots(control);
  for (let i = 1; i < SLOTS; i++) slots.take();
  assert.equal(slots.take(), undefined);
});

Deno.test("rate() is whole bytes a second, 0 without time, never negative", () => {
  assert.equal(rate({ atMs: 0, bytes: 0 }, { atMs: 2000, bytes: 3001 }), 1501);
  assert.equal(rate({ atMs: 5, bytes: 0 }, { atMs: 5, bytes: 10 }), 0);
  assert.equal(rate({ atMs: 0, bytes: 10 }, { atMs: 10, bytes: 0 }), 0);
});
