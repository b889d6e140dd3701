import assert from "node:assert/strict";
import { Electorate } from "../../../../lib/election.ts";
import { weight } from "../../../../lib/balance/weight.ts";
import { DOWN } from "../../../../lib/stats/layout.ts";
import { seeded } from "../../../support/clock.ts";
import { counters, member, table } from "../../../support/members.ts";

/** Chance that a chi-square statistic with `degrees` (even) degrees of freedom is at least `x`. */
function tail(x: number, degrees: number): number {
  let term = Math.exp(-x / 2);
  let sum = term;
  for (let i = 1; i < degrees / 2; i++) sum += term *= x / 2 / i;
  return sum;
}

/** The spread of 60,000 leases over weights 40, 60, 100, 20, 1 and 0, with some backends down. */
function chiSquare(down: readonly number[]): { p: number; counts: number[] } {
  const weights = [40, 60, 100, 20, 1, 0];
  const members = weights.map((weight, index) => member(index, { weight }));
  const cells = counters();
  for (const index of down) cells.setFlag(10 + index, DOWN, true);
  const pool = new Electorate(table("weight", members), weight, cells, seeded(20261121));
  const counts = weights.map(() => 0);
  const total = 60_000;
  for (let i = 0; i < total; i++) counts[pool.lease(0, [])!.slot - 10]! += 1;
  const usable = weights.map((weight, index) => down.includes(index) ? 0 : weight);
  const sum = usable.reduce((a, b) => a + b);
  const statistic = counts.reduce((x, count, index) => {
    const expected = total * usable[index]! / sum;
    if (expected === 0) {
      assert.equal(count, 0);
      return x;
    }
    return x + (count - expected) ** 2 / expected;
  }, 0);
  return { p: tail(statistic, usable.filter((share) => share > 0).length - 1), counts };
}

Deno.test("weight: leases follow the weights (chi-square, p > 1e-6)", () => {
  const { p, counts } = chiSquare([]);
  assert.ok(p > 1e-6, `p = ${p}: ${counts}`);
});

Deno.test("weight: with two backends down, the others keep their proportions", () => {
  const { p, counts } = chiSquare([1, 2]);
  assert.ok(p > 1e-6, `p = ${p}: ${counts}`);
});
