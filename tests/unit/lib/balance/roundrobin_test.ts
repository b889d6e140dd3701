import assert from "node:assert/strict";
import fc from "fast-check";
import { turnsOf } from "../../../../lib/balance/roundrobin.ts";
import { member } from "../../../support/members.ts";

Deno.test("turnsOf() with equal weights is the bytewise order of host:port, as gobetween has it", () => {
  const members = ["10.0.0.9", "10.0.0.1", "10.0.0.10"].map((host) =>
    member(0, { host, weight: 5 })
  );
  assert.deepEqual([...turnsOf(members)], [2, 1, 0]);
});

Deno.test("turnsOf() spreads the turns of a heavy member evenly", () => {
  const turns = turnsOf([member(0, { weight: 4 }), member(1, { weight: 2 }), member(2)]);
  assert.deepEqual([...turns].join(""), "0102010");
});

Deno.test("turnsOf() gives everybody a turn and keeps proportions, whatever the weights", () => {
  const weights = fc.array(fc.integer({ min: 1, max: 1_000_000 }), { minLength: 1, maxLength: 50 });
  fc.assert(fc.property(weights, (weights) => {
    const turns = turnsOf(weights.map((weight, index) => member(index, { weight })));
    const counts = weights.map((_, index) => turns.filter((turn) => turn === index).length);
    assert.ok(turns.length <= 4096 + weights.length);
    const sum = weights.reduce((a, b) => a + b);
    weights.forEach((weight, index) => {
      const expected = turns.length * weight / sum;
      assert.ok(counts[index]! >= 1);
      assert.ok(
        Math.abs(counts[index]! - expected) <= 1 + expected * 0.02,
        `${weights}: ${counts}`,
      );
    });
  }));
});
