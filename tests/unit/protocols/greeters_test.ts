import assert from "node:assert/strict";
import { Greeters } from "../../../protocols/greeters.ts";
import type { Session } from "../../../protocols/session.ts";

const PATIENCE_MS = 20;

function sessions(count: number) {
  const closed: number[] = [];
  const all = Array.from(
    { length: count },
    (_, i) => ({ close: () => void closed.push(i) }) as unknown as Session,
  );
  return { all, closed };
}

Deno.test("Greeters sends the oldest away for a new one, but nobody who has just come", () => {
  let now = 0;
  const greeters = new Greeters(() => now);
  const { all: [a, b, c, d, e], closed } = sessions(5);
  assert(greeters.enter(a!, 2));
  now = 5;
  assert(greeters.enter(b!, 2));
  now = PATIENCE_MS - 1;
  assert(!greeters.enter(c!, 2), "nobody has had its time");
  now = PATIENCE_MS;
  assert(greeters.enter(c!, 2));
  assert.deepEqual(closed, [0]);
  assert(!greeters.leave(a!), "it was sent away");
  assert(greeters.leave(b!));
  assert(greeters.enter(d!, 2), "there is room again");
  assert(!greeters.enter(e!, 2));
  assert.deepEqual(closed, [0]);
});

Deno.test("Greeters sends somebody away if it is told to, as long as there is somebody", () => {
  let now = 0;
  const greeters = new Greeters(() => now);
  assert(!greeters.sendAway());
  const { all: [a, b], closed } = sessions(2);
  greeters.enter(a!, 9);
  greeters.enter(b!, 9);
  now = PATIENCE_MS;
  assert(greeters.sendAway() && greeters.sendAway() && !greeters.sendAway());
  assert.deepEqual(closed, [0, 1]);
  assert(!greeters.leave(b!));
});
