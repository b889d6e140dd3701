import assert from "node:assert/strict";
import { leastbandwidth } from "../../../../lib/balance/leastbandwidth.ts";
import { Electorate } from "../../../../lib/election.ts";
import { RX } from "../../../../lib/stats/layout.ts";
import { Meter } from "../../../../lib/stats/meter.ts";
import { seeded } from "../../../support/clock.ts";
import { counters, member, table } from "../../../support/members.ts";

/** Three backends whose meters are read when the test says so. */
function setUp(weights = [1, 1, 1]) {
  const cells = counters();
  const members = weights.map((weight, index) => member(index, { weight }));
  const pool = new Electorate(table("leastbandwidth", members), leastbandwidth, cells, seeded(3));
  const meters = members.map(({ slot }) => new Meter(cells, slot, 0));
  let now = 0;
  return {
    /** A second passes in which the backends move so many bytes. */
    second(...bytes: number[]) {
      bytes.forEach((count, index) => cells.add(10 + index, RX, count));
      now += 1000;
      for (const meter of meters) meter.sample(now);
    },
    lease: () => pool.lease(0, [])!.slot - 10,
  };
}

Deno.test("leastbandwidth: the backend with the fewest bytes a second is chosen", () => {
  const { second, lease } = setUp();
  second(5000, 1000, 3000);
  assert.equal(lease(), 1);
  second(1000, 9000, 3000);
  assert.equal(lease(), 0);
});

Deno.test("leastbandwidth: between two measurements a burst is spread, not piled on one", () => {
  const { second, lease } = setUp();
  const counts = [0, 0, 0];
  for (let i = 0; i < 30; i++) counts[lease()]! += 1;
  assert.deepEqual(counts, [10, 10, 10]);
  second(30_000, 30_000, 0); // 2,000 bytes a session on the average
  const next = [0, 0, 0];
  for (let i = 0; i < 45; i++) next[lease()]! += 1;
  assert.deepEqual(next, [10, 10, 25], "the idle one catches up, then all share");
});

Deno.test("leastbandwidth: weight 2 carries twice the bytes", () => {
  const { second, lease } = setUp([2, 1, 1]);
  second(3000, 2000, 2000);
  assert.equal(lease(), 0);
  second(5000, 2000, 2100);
  assert.equal(lease(), 1);
});
