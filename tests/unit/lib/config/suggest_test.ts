import assert from "node:assert/strict";
import fc from "fast-check";
import { editDistance, oneOf, suggest } from "../../../../lib/config/suggest.ts";

const strategies = ["weight", "roundrobin", "leastconn"];

Deno.test.each([
  { word: "roundrobbin", close: "roundrobin" },
  { word: "WEIGTH", close: "weight" },
  { word: "least", close: undefined },
  { word: "", close: undefined },
])("suggest() finds $close for $word", ({ word, close }) => {
  assert.equal(suggest(word, strategies), close);
});

Deno.test("oneOf() lists what can be chosen, the close one first", () => {
  const list = "One of weight, roundrobin, leastconn";
  assert.equal(oneOf("waight", strategies), `did you mean "weight"? ${list}`);
  assert.equal(oneOf("x", strategies), list);
  assert.equal(oneOf("iphsah", strategies, ["iphash"]), `did you mean "iphash"? ${list}`);
});

Deno.test("editDistance() is 0 for the same word, symmetric, and at most the longer word", () => {
  const word = fc.string({ maxLength: 12 });
  fc.assert(fc.property(word, word, (a, b) => {
    assert.equal(editDistance(a, a), 0);
    assert.equal(editDistance(a, b), editDistance(b, a));
    assert.ok(editDistance(a, b) <= Math.max(a.length, b.length));
  }));
});
