import assert from "node:assert/strict";
import { Electorate } from "../../../lib/election.ts";
import { strategies } from "../../../lib/balance/registry.ts";
import { fnv1a } from "../../../lib/fnv.ts";
import type { StrategyKind } from "../../../lib/kinds.ts";
import type { Member } from "../../../lib/model.ts";
import { DOWN } from "../../../lib/stats/layout.ts";
import { seeded } from "../../support/clock.ts";
import { counters, member, table } from "../../support/members.ts";

/** What every strategy must keep. */
function contract(kind: StrategyKind): void {
  const setUp = (members: readonly Member[]) => {
    const cells = counters();
    return { cells, pool: new Electorate(table(kind.name, members), kind, cells, seeded(7)) };
  };
  /** How often each of the members was leased; every lease is given back at once. */
  const spread = (members: readonly Member[], times: number, down: readonly number[] = []) => {
    const { cells, pool } = setUp(members);
    for (const index of down) cells.setFlag(10 + index, DOWN, true);
    const counts = members.map(() => 0);
    for (let i = 0; i < times; i++) {
      const leased = pool.lease(
        fnv1a(Uint8Array.from([10, i >> 16, (i >> 8) & 255, i & 255])),
        [],
      )!;
      counts[leased.slot - 10]! += 1;
      cells.release(leased.slot);
    }
    return counts;
  };

  Deno.test(`${kind.name}: an empty pool has nobody to lease`, () => {
    assert.equal(setUp([]).pool.lease(0, []), undefined);
  });

  Deno.test(`${kind.name}: a single backend takes everything, also without weight`, () => {
    assert.deepEqual(spread([member(0)], 20), [20]);
    assert.deepEqual(spread([member(0, { weight: 0 })], 20), [20]);
  });

  Deno.test(`${kind.name}: equal backends get equal shares`, () => {
    for (const count of spread([0, 1, 2, 3].map((i) => member(i)), 8000)) {
      assert.ok(Math.abs(count - 2000) < 200, `${count} of 2000`);
    }
  });

  Deno.test(`${kind.name}: weight 0 takes nothing while another has more, and everything else after`, () => {
    const members = [member(0, { weight: 0 }), member(1), member(2, { weight: 0 })];
    assert.deepEqual(spread(members, 50), [0, 50, 0]);
    const left = spread(members, 2000, [1]);
    assert.equal(left[1], 0);
    assert.ok(Math.abs(left[0]! - 1000) < 150, String(left));
  });

  Deno.test(`${kind.name}: huge weights don't starve or break anything`, () => {
    const counts = spread(
      [member(0, { weight: 2 ** 31 - 1 }), member(1, { weight: 2 ** 31 - 1 })],
      4000,
    );
    for (const count of counts) assert.ok(Math.abs(count - 2000) < 250, String(counts));
  });

  Deno.test(`${kind.name}: the lowest priority number is served first, then the next`, () => {
    const members = [
      member(0, { priority: 5 }),
      member(1, { priority: 1 }),
      member(2, { priority: 3 }),
    ];
    assert.deepEqual(spread(members, 10), [0, 10, 0]);
    assert.deepEqual(spread(members, 10, [1]), [0, 0, 10]);
    assert.deepEqual(spread(members, 10, [1, 2]), [10, 0, 0]);
  });

  Deno.test(`${kind.name}: backends that are down get nothing, the others share evenly`, () => {
    const counts = spread([0, 1, 2, 3].map((i) => member(i)), 6000, [1]);
    assert.equal(counts[1], 0);
    for (const index of [0, 2, 3]) assert.ok(Math.abs(counts[index]! - 2000) < 250, String(counts));
  });

  Deno.test(`${kind.name}: with 1,000 backends of which 999 are down, the last one is found`, () => {
    const members = Array.from({ length: 1000 }, (_, i) => member(i));
    const { cells, pool } = setUp(members);
    for (let i = 0; i < 1000; i++) if (i !== 617) cells.setFlag(10 + i, DOWN, true);
    for (let i = 0; i < 10; i++) assert.equal(pool.lease(i, [])?.slot, 10 + 617);
    cells.setFlag(10 + 617, DOWN, true);
    assert.equal(pool.lease(0, []), undefined);
  });

  Deno.test(`${kind.name}: has a summary that is one sentence`, () => {
    assert.match(kind.summary, /^[A-Z].*\.$/);
  });
}

for (const kind of strategies.all()) contract(kind);
