import assert from "node:assert/strict";
import fc from "fast-check";
import { choiceOf } from "../../../../lib/net/certificate_choice.ts";

const a = { names: ["a.test", "www.a.test"] };
const wild = { names: ["*.a.test", "a.test"] };
const exact = { names: ["Shop.A.test"] };
const bare = { names: ["localhost", "*.localhost", "192.0.2.1"] };

Deno.test.each([
  ["", a],
  ["a.test", a],
  ["A.TEST", a],
  ["a.test.", a],
  ["www.a.test", a],
  ["shop.a.test", exact],
  ["other.a.test", wild],
  ["OTHER.a.TEST.", wild],
  ["one.other.a.test", a],
  ["*.a.test", a],
  [".a.test", a],
  ["localhost", bare],
  ["x.localhost", bare],
  ["unknown.example", a],
  [`${"x".repeat(300)}.a.test`, a],
])("choiceOf() for %j", (name, wanted) => {
  assert.equal(choiceOf([a, wild, exact, bare])(name), wanted);
});

const label = fc.constantFrom("a", "b", "c", "A", "x-1");
const host = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join("."));
const pattern = fc.tuple(fc.boolean(), host).map(([any, name]) => any ? `*.${name}` : name);
const certificates = fc.array(
  fc.array(pattern, { maxLength: 3 }).map((names) => ({ names })),
  { minLength: 1, maxLength: 5 },
);

/** The same by looking at each certificate. */
function slowly<T extends { readonly names: readonly string[] }>(
  all: readonly T[],
  name: string,
): T {
  const asked = name.toLowerCase();
  const has = (wanted: string) =>
    all.find(({ names }) => names.some((each) => each.toLowerCase() === wanted));
  const rest = asked.split(".").slice(1).join(".");
  return has(asked) ?? (rest === "" ? undefined : has(`*.${rest}`)) ?? all[0]!;
}

Deno.test("choiceOf() prefers the very name to a wildcard, and the first certificate with it to all others", () => {
  fc.assert(fc.property(certificates, host, (all, name) => {
    const [first, ...more] = all;
    assert.equal(choiceOf([first!, ...more])(name), slowly(all, name));
  }));
});
