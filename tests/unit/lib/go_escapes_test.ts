import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeGoEscapes } from "../../../lib/go_escapes.ts";

Deno.test.each([
  { text: "", hex: "" },
  { text: "PING", hex: "50494e47" },
  { text: String.raw`\a\b\f\n\r\t\v\\\"`, hex: "07080c0a0d090b5c22" },
  { text: String.raw`\x00\xFf\000\377\101`, hex: "00ff00ff41" },
  { text: String.raw`\u00e9\U0001F600é😀`, hex: "c3a9f09f9880c3a9f09f9880" },
  { text: "a\rb\t'", hex: "610d620927" },
  { text: String.raw`\x414`, hex: "4134" },
])("decodeGoEscapes() makes $hex of $text", ({ text, hex }) => {
  const bytes = decodeGoEscapes(text);
  assert.ok(typeof bytes !== "string", String(bytes));
  assert.equal(bytes.toHex(), hex);
});

Deno.test.each([
  { text: 'say "hi"', wrong: "has a quote at 5 that isn't escaped" },
  { text: "two\nlines", wrong: "has a line break" },
  { text: "\\", wrong: "has no valid escape at 1" },
  { text: "ab\\q", wrong: "has no valid escape at 3" },
  { text: "\\'", wrong: "has no valid escape at 1" },
  { text: "\\x4", wrong: "has no valid escape at 1" },
  { text: "\\x4g", wrong: "has no valid escape at 1" },
  { text: "\\8", wrong: "has no valid escape at 1" },
  { text: "\\400", wrong: "has no valid escape at 1" },
  { text: "\\12", wrong: "has no valid escape at 1" },
  { text: "\\ud800", wrong: "has no valid escape at 1" },
  { text: "\\U00110000", wrong: "has no valid escape at 1" },
  { text: "\\u12 4", wrong: "has no valid escape at 1" },
])("decodeGoEscapes() says what is wrong with $text", ({ text, wrong }) => {
  const said = decodeGoEscapes(text);
  assert.equal(typeof said, "string");
  assert.equal((said as string).split("\n")[0], wrong);
  assert.match(said as string, /\n./, "and what to do");
});

Deno.test("decodeGoEscapes() gives back every byte that is written as an escape of any sort", () => {
  const hex = (byte: number) => `\\x${byte.toString(16).padStart(2, "0")}`;
  const octal = (byte: number) => `\\${byte.toString(8).padStart(3, "0")}`;
  const written = fc.tuple(fc.nat(255), fc.boolean());
  fc.assert(fc.property(fc.array(written), (bytes) => {
    const text = bytes.map(([byte, asHex]) => asHex ? hex(byte) : octal(byte)).join("");
    assert.deepEqual(decodeGoEscapes(text), Uint8Array.from(bytes, ([byte]) => byte));
  }));
});

Deno.test("decodeGoEscapes() gives UTF-8 of any text whose quotes, breaks and backslashes are escaped", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), (text) => {
    const escaped = text.replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n");
    assert.deepEqual(decodeGoEscapes(escaped), new TextEncoder().encode(text));
  }));
});

Deno.test("decodeGoEscapes() never throws, and says in words what it can't decode", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    const decoded = decodeGoEscapes(text);
    assert.ok(typeof decoded === "string" ? decoded.startsWith("has ") : true);
  }));
});
