import assert from "node:assert/strict";
import fc from "fast-check";
import { parseDuration, printDuration } from "../../../lib/duration.ts";

const HOUR = 3_600_000;

Deno.test.each([
  { text: "0", ms: 0 },
  { text: "-0", ms: 0 },
  { text: "+5s", ms: 5_000 },
  { text: "-250ms", ms: -250 },
  { text: "1.5s", ms: 1_500 },
  { text: ".5s", ms: 500 },
  { text: "1.s", ms: 1_000 },
  { text: "1h30m", ms: 1.5 * HOUR },
  { text: "30m1h", ms: 1.5 * HOUR },
  { text: "1m30.5s", ms: 90_500 },
  { text: "100ns", ms: 1e-4 },
  { text: "10us", ms: 0.01 },
  { text: "10\u00b5s", ms: 0.01 },
  { text: "10\u03bcs", ms: 0.01 },
  { text: "2562047h", ms: 2562047 * HOUR },
])("parseDuration() reads $text as $ms ms", ({ text, ms }) => {
  assert.equal(parseDuration(text), ms);
});

Deno.test.each([
  ...[
    "",
    "50",
    "-",
    "s",
    ".s",
    "5 s",
    "5S",
    "5s ",
    "1e3s",
    "5d",
    "-+5s",
    "1h-5m",
    "0x5s",
    "5",
    "٥s",
  ],
  "2562048h",
])("parseDuration() refuses %s", (text) => {
  assert.equal(parseDuration(text), undefined);
});

Deno.test.each([
  { ms: 0, text: "0s" },
  { ms: 90_500, text: "1m30.5s" },
  { ms: HOUR + 120_000 + 3_400, text: "1h2m3.4s" },
  { ms: HOUR, text: "1h0m0s" },
  { ms: 60_000, text: "1m0s" },
  { ms: 1_000, text: "1s" },
  { ms: 250, text: "250ms" },
  { ms: 1.5, text: "1.5ms" },
  { ms: 0.0015, text: "1.5\u00b5s" },
  { ms: 0.000001, text: "1ns" },
  { ms: -1_500, text: "-1.5s" },
])("printDuration() prints $ms ms as $text", ({ ms, text }) => {
  assert.equal(printDuration(ms), text);
});

Deno.test("parseDuration() reads back what printDuration() prints, to the nanosecond", () => {
  fc.assert(fc.property(fc.integer({ min: -1e15, max: 1e15 }), (nanos) => {
    const back = parseDuration(printDuration(nanos / 1e6));
    assert.equal(Math.round(back! * 1e6), nanos === 0 ? 0 : nanos);
  }));
});

Deno.test("parseDuration() answers a number or undefined for any text", () => {
  fc.assert(fc.property(fc.string({ unit: fc.constantFrom(...".-+0159smhnuµ ") }), (text) => {
    const ms = parseDuration(text);
    assert.ok(ms === undefined || Number.isFinite(ms));
  }));
});
