import assert from "node:assert/strict";
import fc from "fast-check";
import { choiceOf } from "../../../../lib/kernel/choice.ts";
import { member } from "../../../support/members.ts";

const all = () => true;
/** Shares as `LAST_OCTET:first-last`. */
function text(...args: Parameters<typeof choiceOf>): string {
  const choice = choiceOf(...args);
  if (choice === undefined) return "nobody";
  const shares = choice.shares.map(({ member, first, last }) =>
    `${member.address.split(".").at(-1)}:${first}-${last}`
  );
  return `${choice.draw} ${choice.modulus}: ${shares.join(" ")}`;
}

Deno.test.each([
  { strategy: "weight", weights: [1, 3], wanted: "random 4: 0:0-0 1:1-3" },
  { strategy: "random", weights: [2], wanted: "random 2: 0:0-1" },
  { strategy: "iphash", weights: [1, 1], wanted: "hash 2: 0:0-0 1:1-1" },
  { strategy: "roundrobin", weights: [2, 1], wanted: "turn 3: 0:0-0 1:1-1 0:2-2" },
  { strategy: "weight", weights: [0, 2, 0], wanted: "random 2: 1:0-1" },
  { strategy: "weight", weights: [0, 0], wanted: "random 2: 0:0-0 1:1-1" },
  { strategy: "weight", weights: [], wanted: "nobody" },
])("choiceOf() by $strategy of $weights gives $wanted", ({ strategy, weights, wanted }) => {
  const members = weights.map((weight, index) => member(index, { weight }));
  assert.equal(text(strategy, members, all), wanted);
});

Deno.test("choiceOf() takes the lowest priority that has somebody, and nobody who isn't usable", () => {
  const members = [member(0, { priority: 2 }), member(1), member(2)];
  assert.equal(text("weight", members, ({ slot }) => slot !== 11), "random 1: 2:0-0");
  assert.equal(text("weight", members, ({ slot }) => slot === 10), "random 1: 0:0-0");
  assert.equal(text("weight", members, () => false), "nobody");
});

Deno.test("choiceOf() orders by host:port, whatever the order of discovery", () => {
  const members = [member(2), member(1, { weight: 2 })];
  assert.equal(text("iphash", members, all), text("iphash", members.toReversed(), all));
});

Deno.test("choiceOf() gives every usable weight exactly its share, without gap or overlap", () => {
  fc.assert(fc.property(
    fc.array(fc.record({ weight: fc.nat(1000), up: fc.boolean() }), { maxLength: 40 }),
    fc.constantFrom("weight", "random", "iphash"),
    (facts, strategy) => {
      const members = facts.map(({ weight }, index) => member(index, { weight }));
      const usable = ({ slot }: { slot: number }) => facts[slot - 10]!.up;
      const choice = choiceOf(strategy, members, usable);
      const up = members.filter(usable);
      if (up.length === 0) return assert.equal(choice, undefined);
      let next = 0;
      for (const { member, first, last } of choice!.shares) {
        assert.equal(first, next);
        const weighty = up.some(({ weight }) => weight > 0);
        assert.equal(last - first + 1, weighty ? member.weight : 1);
        assert(usable(member));
        next = last + 1;
      }
      assert.equal(choice!.modulus, next);
    },
  ));
});

Deno.test("choiceOf() scales weights that are too large for the kernel, and nobody gets nothing", () => {
  const weights = [2 ** 31 - 1, 2 ** 31 - 1, 1];
  const members = weights.map((weight, index) => member(index, { weight }));
  const { modulus, shares } = choiceOf("weight", members, all)!;
  assert(modulus <= 2 ** 30 + 1, String(modulus));
  assert.deepEqual(shares.map(({ first, last }) => last >= first), [true, true, true]);
  assert.equal(shares[0]!.last - shares[0]!.first, shares[1]!.last - shares[1]!.first);
});
