import assert from "node:assert/strict";
import fc from "fast-check";
import { printJson } from "../../../api/json.ts";

Deno.test.each([
  { value: {}, text: "{}" },
  { value: [], text: "[]" },
  { value: null, text: "null" },
  { value: new Map(), text: "{}" },
  { value: [1, "a"], text: '[\n    1,\n    "a"\n]' },
  { value: { b: 1, a: undefined }, text: '{\n    "b": 1\n}' },
  { value: { a: { b: [] } }, text: '{\n    "a": {\n        "b": []\n    }\n}' },
  {
    value: new Map([["b", 1], ["80", 2], ["-", 3]]),
    text: '{\n    "-": 3,\n    "80": 2,\n    "b": 1\n}',
  },
  { value: '<a href="x">&\u2028', text: '"\\u003ca href=\\"x\\"\\u003e\\u0026\\u2028"' },
  { value: { "<": 1 }, text: '{\n    "\\u003c": 1\n}' },
  { value: 9007199254740991, text: "9007199254740991" },
])("printJson() prints $text", ({ value, text }) => {
  assert.equal(printJson(value), text);
});

Deno.test("printJson() can be read back, whatever the value", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    const plain: unknown = JSON.parse(JSON.stringify(value));
    assert.deepEqual(JSON.parse(printJson(plain)), plain);
  }));
});
