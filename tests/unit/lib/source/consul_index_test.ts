import assert from "node:assert/strict";
import fc from "fast-check";
import { nextIndex } from "../../../../lib/source/consul_index.ts";

Deno.test.each([
  { before: 0, header: "17", next: 17 },
  { before: 17, header: "17", next: 17 },
  { before: 17, header: "18", next: 18 },
  { before: 17, header: "16", next: 0 },
  { before: 0, header: "0", next: 1 },
  { before: 5, header: "0", next: 0 },
  { before: 5, header: null, next: 0 },
  { before: 5, header: "-1", next: 0 },
  { before: 5, header: "x", next: 0 },
  { before: 5, header: "", next: 0 },
])("nextIndex($before, $header) is $next", ({ before, header, next }) => {
  assert.equal(nextIndex(before, header), next);
});

Deno.test("nextIndex() never waits with an index that the server hasn't reached", () => {
  fc.assert(fc.property(fc.nat(), fc.nat(), (before, now) => {
    const next = nextIndex(before, String(now));
    assert.ok(next === 0 || next === Math.max(1, now));
  }));
});
