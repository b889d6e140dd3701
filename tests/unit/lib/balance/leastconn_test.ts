import assert from "node:assert/strict";
import { Electorate } from "../../../../lib/election.ts";
import { leastconn } from "../../../../lib/balance/leastconn.ts";
import { seeded } from "../../../support/clock.ts";
import { counters, member, table } from "../../../support/members.ts";

Deno.test("leastconn: a burst is spread by what is counted, one after the other", () => {
  const cells = counters();
  const pool = new Electorate(
    table("leastconn", [0, 1, 2].map((i) => member(i))),
    leastconn,
    cells,
    seeded(3),
  );
  for (let i = 0; i < 9; i++) pool.lease(0, []);
  assert.deepEqual([10, 11, 12].map((slot) => cells.active(slot)), [3, 3, 3]);
  cells.release(11);
  assert.equal(pool.lease(0, [])?.slot, 11);
});

Deno.test("leastconn: a backend of weight 3 carries three times the sessions", () => {
  const cells = counters();
  const members = [member(0, { weight: 3 }), member(1, { weight: 1 })];
  const pool = new Electorate(table("leastconn", members), leastconn, cells, seeded(3));
  for (let i = 0; i < 40; i++) pool.lease(0, []);
  assert.deepEqual([cells.active(10), cells.active(11)], [30, 10]);
});

Deno.test("leastconn: ties are broken evenly", () => {
  const cells = counters();
  const pool = new Electorate(
    table("leastconn", [0, 1, 2].map((i) => member(i))),
    leastconn,
    cells,
    seeded(3),
  );
  const counts = [0, 0, 0];
  for (let i = 0; i < 3000; i++) {
    const { slot } = pool.lease(0, [])!;
    counts[slot - 10]! += 1;
    cells.release(slot);
  }
  for (const count of counts) assert.ok(Math.abs(count - 1000) < 120, String(counts));
});
