import assert from "node:assert/strict";
import fc from "fast-check";
import { parseJsonPath, valueAt } from "../../../lib/json_path.ts";

Deno.test.each([
  { text: "host", path: ["host"] },
  { text: "a.b-c.d e", path: ["a", "b-c", "d e"] },
  { text: "a[0].b", path: ["a", 0, "b"] },
  { text: "a.[0].b", path: ["a", 0, "b"] },
  { text: "[1][2]", path: [1, 2] },
  { text: ".", path: [] },
])("parseJsonPath() takes $text", ({ text, path }) => {
  assert.deepEqual(parseJsonPath(text), path);
});

Deno.test.each([
  { text: "" },
  { text: "a." },
  { text: ".a" },
  { text: "a..b" },
  { text: "a[b]" },
  { text: "a[-1]" },
  { text: "a[0]b" },
  { text: "a[" },
])("parseJsonPath() refuses $text and says how to write one", ({ text }) => {
  assert.match(String(parseJsonPath(text)), /^".*" is not a path\nwrite names with dots/);
});

Deno.test("valueAt() finds what is there, and nothing else", () => {
  const value = { a: [{ b: 1 }], "0": "zero" };
  const at = (text: string) => valueAt(value, parseJsonPath(text) as (string | number)[]);
  assert.equal(at("a[0].b"), 1);
  assert.equal(at("."), value);
  for (
    const nothing of ["a.0", "a[1].b", "[0]", "a[0].b.c", "a.length", "constructor", "__proto__"]
  ) {
    assert.equal(at(nothing), undefined, nothing);
  }
});

Deno.test("parseJsonPath() and valueAt() find every leaf of any JSON whose names are plain", () => {
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      fc.integer(),
      fc.array(tie("tree"), { maxLength: 3 }),
      fc.dictionary(fc.stringMatching(/^[a-z_]{1,4}$/), tie("tree"), { maxKeys: 3 }),
    ),
  }));
  const walk = (whole: unknown, at: unknown, path: string) => {
    const found = path === "" ? [] : parseJsonPath(path);
    assert.ok(typeof found !== "string", String(found));
    assert.equal(valueAt(whole, found), at);
    if (Array.isArray(at)) at.forEach((each, i) => walk(whole, each, `${path}[${i}]`));
    else if (typeof at === "object") {
      for (const [name, each] of Object.entries(at!)) {
        walk(whole, each, path === "" ? name : `${path}.${name}`);
      }
    }
  };
  fc.assert(fc.property(tree, (whole) => walk(whole, whole, "")));
});
