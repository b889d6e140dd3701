import assert from "node:assert/strict";
import fc from "fast-check";
import { digits, median, printRatio, printSpread, ratio, spread } from "./statistics.ts";

Deno.test.each([
  { values: [3], middle: 3 },
  { values: [3, 1, 2], middle: 2 },
  { values: [10, 1, 2, 4], middle: 3 },
  { values: [5, 5, 5, 5, 5], middle: 5 },
])("median() of $values is $middle", ({ values, middle }) => {
  assert.equal(median(values), middle);
});

Deno.test("median() of nothing throws, as do spread() and ratio() without a common round", () => {
  assert.throws(() => median([]), /RangeError: no values, so no median/);
  assert.throws(() => spread([]), RangeError);
  assert.throws(() => ratio([1], []), RangeError);
});

Deno.test("spread() has the median between the least and the greatest, in any order of values", () => {
  const values = fc.array(fc.double({ min: 0, max: 1e9, noNaN: true }), {
    minLength: 1,
  });
  fc.assert(fc.property(values, (values) => {
    const { median, low, high } = spread(values);
    assert(low <= median && median <= high);
    assert.deepEqual(spread(values.toReversed()), { median, low, high });
    assert(values.includes(low) && values.includes(high));
  }));
});

Deno.test("ratio() compares round by round, so a slow round of the machine doesn't show", () => {
  // everything took three times as long in the second round
  assert.deepEqual(ratio([10, 30, 10], [5, 15, 5]), {
    median: 2,
    low: 2,
    high: 2,
  });
});

Deno.test("ratio() leaves out rounds that only one of them has", () => {
  assert.deepEqual(ratio([10, 20, 99], [5, 5]), { median: 3, low: 2, high: 4 });
});

Deno.test.each([
  { value: 0, text: "0" },
  { value: 0.01234, text: "0.0123" },
  { value: 0.3456, text: "0.346" },
  { value: 9.876, text: "9.88" },
  { value: 12.345, text: "12.3" },
  { value: 123.4, text: "123" },
  { value: 31_415.9, text: "31416" },
])("digits($value) is $text", ({ value, text }) => {
  assert.equal(digits(value), text);
});

Deno.test("figures are printed with their spread behind", () => {
  assert.equal(
    printRatio({ median: 1.234, low: 1, high: 2 }),
    "1.23 (1.00..2.00)",
  );
  assert.equal(
    printSpread({ median: 12.34, low: 0.5, high: 234.5 }),
    "12.3 (0.500..235)",
  );
});
