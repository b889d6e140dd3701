import assert from "node:assert/strict";
import { Electorate, NOTHING_TRIED, tiersOf } from "../../../lib/election.ts";
import { strategies } from "../../../lib/balance/registry.ts";
import type { Member } from "../../../lib/model.ts";
import { counterBuffer, Counters } from "../../../lib/stats/counters.ts";
import { DOWN, DRAINING } from "../../../lib/stats/layout.ts";
import { seeded } from "../../support/clock.ts";
import { counters, member, table } from "../../support/members.ts";

function electorate(members: readonly Member[], strategy = "weight", cells = counters()) {
  const kind = strategies.get(strategy);
  return { cells, pool: new Electorate(table(strategy, members), kind, cells, seeded(1)) };
}

Deno.test("lease() counts the session on the backend that it picks", () => {
  const { cells, pool } = electorate([member(0)]);
  assert.equal(pool.lease(0, NOTHING_TRIED)?.slot, 10);
  assert.equal(cells.active(10), 1);
});

Deno.test("lease() answers undefined for a pool without backends", () => {
  assert.equal(electorate([]).pool.lease(0, NOTHING_TRIED), undefined);
});

Deno.test("lease() never takes a backend over its max_connections, and falls to the next priority", () => {
  const { cells, pool } = electorate([
    member(0, { priority: 0, maxConnections: 2 }),
    member(1, { priority: 1 }),
  ]);
  const slots = Array.from({ length: 5 }, () => pool.lease(0, NOTHING_TRIED)?.slot);
  assert.deepEqual(slots, [10, 10, 11, 11, 11]);
  cells.release(10);
  assert.equal(pool.lease(0, NOTHING_TRIED)?.slot, 10);
});

Deno.test("live says whether one of the backends takes sessions, full or not", () => {
  const { cells, pool } = electorate([member(0, { maxConnections: 1 }), member(1)]);
  cells.setFlag(11, DRAINING, true);
  pool.lease(0, NOTHING_TRIED);
  assert.equal(pool.live, true);
  cells.setFlag(10, DOWN, true);
  assert.equal(pool.live, false);
  assert.equal(electorate([]).pool.live, false);
});

Deno.test("lease() passes over backends that are down, draining or tried", () => {
  const { cells, pool } = electorate([member(0), member(1), member(2), member(3)]);
  cells.setFlag(10, DOWN, true);
  cells.setFlag(11, DRAINING, true);
  for (let i = 0; i < 20; i++) assert.equal(pool.lease(0, [12])?.slot, 13);
  cells.setFlag(10, DOWN, false);
  assert.equal(pool.lease(0, [11, 12, 13])?.slot, 10);
  assert.equal(pool.lease(0, [10, 11, 12, 13]), undefined);
});

Deno.test("lease() holds max_connections over two workers that share the counters", () => {
  const buffer = counterBuffer(2);
  const members = [member(0, { maxConnections: 3 })];
  const pools = [0, 1].map((row) =>
    electorate(members, "roundrobin", new Counters(buffer, 2, row)).pool
  );
  const taken = [0, 1, 0, 1, 0].map((row) => pools[row]!.lease(0, NOTHING_TRIED)?.slot);
  assert.deepEqual(taken, [10, 10, 10, undefined, undefined]);
});

Deno.test("tiersOf() orders by priority, and puts members without weight after the others of theirs", () => {
  const tiers = tiersOf([
    member(0, { priority: 2 }),
    member(1, { weight: 0 }),
    member(2),
    member(3, { priority: -1 }),
  ]);
  assert.deepEqual(tiers.map((tier) => tier.map(({ slot }) => slot)), [[13], [12], [11], [10]]);
});
