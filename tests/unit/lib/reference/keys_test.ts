import assert from "node:assert/strict";
import { z } from "zod";
import {
  address,
  bind,
  bufferSize,
  duration,
  flag,
  networks,
  text,
  whole,
} from "../../../../lib/config/values.ts";
import { pattern } from "../../../../lib/config/pattern.ts";
import { wordsOf } from "../../../../lib/reference/keys.ts";

const CASES: readonly [string, z.ZodType, string, string][] = [
  ["a duration", duration("x"), "duration", "required"],
  ["a least duration", duration("x", 1).default(60_000), "duration, at least 1ms", '`"1m"`'],
  ["no duration", duration("x").default(0), "duration", '`"0"`'],
  ["hours", duration("x").default(7_200_000), "duration", '`"2h"`'],
  ["all units", duration("x").default(3_661_000), "duration", '`"1h1m1s"`'],
  ["minutes and seconds", duration("x").default(610_000), "duration", '`"10m10s"`'],
  ["a size", bufferSize("x"), "size, 1KiB to 16MiB", "required"],
  ["a whole number", whole("x").default(3), "whole number", "`3`"],
  ["a least number", whole("x", 0).default(0), "whole number, at least 0", "`0`"],
  ["a range", whole("x", 1, 64), "whole number, 1 to 64", "required"],
  ["true or false", flag("x").default(false), "`true` or `false`", "`false`"],
  ["words", z.enum(["a", "b"]).default("b"), 'one of `"a"`, `"b"`', '`"b"`'],
  ["text", text("x").default(""), "text", '`""`'],
  ["left out", text("x").optional(), "text", ""],
  ["a phrase", text("x").optional().meta({ otherwise: "none" }), "text", "none"],
  ["a list", z.array(z.string()).min(1), "list of text, not empty", "required"],
  ["either", z.union([z.int(), z.array(z.string())]), "whole number, or list of text", "required"],
  ["a table", z.record(z.string(), z.string()).default({}), "table of text", "`{}`"],
  ["networks", networks("x").default([]), "list of networks", "`[]`"],
  ["an address", address("x"), "address", "required"],
  ["a bind", bind("x"), "address and port", "required"],
  ["a pattern", pattern("x").default(""), "pattern", '`""`'],
];

for (const [what, schema, value, otherwise] of CASES) {
  Deno.test(`wordsOf() says how ${what} is written: ${value}, ${otherwise || "nothing"}`, () => {
    const words = wordsOf("key", schema);
    assert.deepEqual([words.value, words.otherwise], [value, otherwise]);
  });
}

Deno.test("wordsOf() leaves out values that are refused for now", () => {
  const schema = z.enum(["tcp", "udp", "tls"]).default("tcp");
  assert.equal(wordsOf("protocol", schema, ["udp"]).value, 'one of `"tcp"`, `"tls"`');
  assert.equal(wordsOf("protocol", schema, ["udp", "tls"]).value, '`"tcp"`');
});

Deno.test("wordsOf() marks names of keys in a text as code, once", () => {
  const { text: said } = wordsOf("key", text("As probe_recv and `probe_send`, by CONSUL_X."));
  assert.equal(said, "As `probe_recv` and `probe_send`, by CONSUL_X.");
});

Deno.test("wordsOf() asks for a form where a type has no words", () => {
  const message = 'no words for the type of key; say how it is written: .meta({ form: "…" })';
  assert.throws(() => wordsOf("key", z.array(z.unknown())), { message });
  const { value } = wordsOf("key", z.array(z.unknown()).meta({ form: "list of things" }));
  assert.equal(value, "list of things");
});
