import assert from "node:assert/strict";
import fc from "fast-check";
import { Buffers, SIZES } from "../../../protocols/buffers.ts";

Deno.test("a buffer starts with 1 KiB and grows by four up to its limit", () => {
  const buffers = new Buffers(1 << 30, () => assert.fail("nothing is denied"));
  let buffer = buffers.take();
  const sizes = [buffer.length];
  for (let i = 0; i < 5; i++) sizes.push((buffer = buffers.grow(buffer, 300_000)).length);
  assert.deepEqual(sizes, [1024, 4096, 16_384, 65_536, 262_144, 262_144]);
});

Deno.test("large buffers come from the budget; beyond its half only to 64 KiB, at its end not at all", () => {
  let denied = 0;
  const buffers = new Buffers(1 << 20, () => denied++);
  const grown = Array.from({ length: 12 }, () => {
    let buffer = buffers.take();
    for (let i = 0; i < 4; i++) buffer = buffers.grow(buffer, 1 << 18);
    return buffer;
  });
  const sizes = grown.map((buffer) => buffer.length);
  assert.ok(sizes.filter((size) => size === 1 << 18).length <= 2, String(sizes));
  assert.ok(sizes.every((size) => size >= 1 << 14), String(sizes));
  assert.ok(buffers.used <= 1 << 20);
  assert.ok(denied > 0);
  for (const buffer of grown) buffers.give(buffer);
  assert.equal(buffers.used, 0);
});

Deno.test("a buffer that a read has hardly filled shrinks; small ones stay", () => {
  const buffers = new Buffers(1 << 30, () => {});
  let buffer = buffers.take();
  for (let i = 0; i < 4; i++) buffer = buffers.grow(buffer, 1 << 18);
  assert.equal(buffers.shrink(buffer, 100_000), buffer);
  buffer = buffers.shrink(buffer, 1000);
  assert.equal(buffer.length, 4096);
  assert.equal(buffers.shrink(buffer, 1), buffer);
  assert.equal(buffers.used, 0);
});

Deno.test("whatever is taken, grown, shrunk and given back, the budget's count is what is lent out", () => {
  fc.assert(fc.property(fc.array(fc.tuple(fc.nat(7), fc.nat(3))), (steps) => {
    const buffers = new Buffers(4 << 20, () => {});
    const lent = Array.from({ length: 8 }, () => buffers.take());
    for (const [at, what] of steps) {
      const buffer = lent[at]!;
      if (what === 0) {
        buffers.give(buffer);
        lent[at] = buffers.take();
      } else {lent[at] = what === 1
          ? buffers.shrink(buffer, 1)
          : buffers.grow(buffer, SIZES.at(-1)!);}
      const large = lent.filter(({ length }) => length >= 1 << 16);
      assert.equal(buffers.used, large.reduce((sum, { length }) => sum + length, 0));
      assert.ok(buffers.used <= 4 << 20);
      assert.equal(new Set(lent).size, 8, "nobody shares a buffer");
    }
  }));
});
