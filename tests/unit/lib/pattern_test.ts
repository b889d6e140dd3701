import assert from "node:assert/strict";
import { z } from "zod";
import { pattern } from "../../../lib/config/pattern.ts";
import { compilePattern, type Pattern } from "../../../lib/pattern.ts";

function compiled(source: string): Pattern {
  const result = compilePattern(source);
  assert.ok(typeof result !== "string", String(result));
  return result;
}

Deno.test("compilePattern() takes Go's syntax: named groups, flags, classes", () => {
  const line = compiled("(?i)^(?P<host>[[:alnum:].]+)/(?P<port>\\d+)(?:\\s(?P<sni>\\S+))?\\z");
  assert.deepEqual(line.names, ["host", "port", "sni"]);
  assert.deepEqual(line.groups("A.test/80"), { host: "A.test", port: "80" });
  assert.deepEqual(line.groups("a/80 x"), { host: "a", port: "80", sni: "x" });
  assert.equal(line.groups("nothing"), undefined);
  assert.equal(compiled("b+").test("abba"), true);
});

Deno.test.each([
  { source: "(", message: '"(" is not a pattern: missing closing ): `(`\nit is RE2\'s syntax: ' },
  { source: "(?=a)", message: "there is no look-ahead and no look-behind" },
  { source: "(a)\\1", message: "there are no back-references" },
  { source: "(a{1000}){1000}", message: "a repetition may be counted to 1000" },
  { source: "[z-a]", message: "invalid character class range: `z-a`" },
])("compilePattern() says what is wrong with $source", ({ source, message }) => {
  const result = compilePattern(source);
  assert.ok(typeof result === "string" && result.includes(message), String(result));
});

Deno.test("a pattern's time grows with the text alone", () => {
  const text = `${"a".repeat(100_000)}!`;
  const since = performance.now();
  for (const source of ["^(a+)+$", "^(a|aa)+$", "(.*)(.*)(.*)(.*)(.*)x$", "^(\\w+\\s?)*$"]) {
    assert.equal(compiled(source).test(text), false);
  }
  assert(performance.now() - since < 5_000);
});

Deno.test("pattern() in a shape refuses one without the groups it needs, and takes an empty one", () => {
  const shape = pattern("", ["host", "port"]);
  assert.equal(shape.parse(""), "");
  assert.equal(shape.parse("(?P<host>a)(?P<port>b)"), "(?P<host>a)(?P<port>b)");
  const wrong = z.safeParse(shape, "(?P<host>a)b");
  assert.equal(
    wrong.error?.issues[0]?.message,
    '"(?P<host>a)b" has no group "port"\nwrite (?P<port>…) where it stands',
  );
});
