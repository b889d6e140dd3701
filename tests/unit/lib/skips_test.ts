import assert from "node:assert/strict";
import { Skips } from "../../../lib/skips.ts";

Deno.test("Skips tells of a list's skipped entries once: how many, and the first of them", () => {
  const skips = new Skips();
  const read = (bad: number) => {
    skips.restart();
    for (let i = 0; i < bad; i++) skips.add(`row ${i}`, "no port");
    return skips.report();
  };
  assert.equal(read(0), undefined);
  assert.deepEqual(read(2), { count: 2, examples: ["row 0: no port", "row 1: no port"] });
  assert.equal(read(2), undefined);
  const many = read(40_000);
  assert.deepEqual([many?.count, many?.examples.length], [40_000, 5]);
  assert.equal(read(0), undefined);
  assert.equal(read(2)?.count, 2);
});

Deno.test("Skips.restart() forgets what was counted of a list that came to no end", () => {
  const skips = new Skips();
  skips.add("row", "no port");
  skips.restart();
  assert.equal(skips.report(), undefined);
});
