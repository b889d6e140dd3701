import assert from "node:assert/strict";
import { printLocalTime, printTime } from "../../../api/time.ts";

const NOON = Date.UTC(2026, 0, 2, 12, 0, 0);

Deno.test.each([
  { ms: NOON, east: 0, text: "2026-01-02T12:00:00Z" },
  { ms: NOON + 120, east: 0, text: "2026-01-02T12:00:00.12Z" },
  { ms: NOON + 7.9, east: 0, text: "2026-01-02T12:00:00.008Z" },
  { ms: NOON, east: 60, text: "2026-01-02T13:00:00+01:00" },
  { ms: NOON + 5, east: -570, text: "2026-01-02T02:30:00.005-09:30" },
])("printTime() $ms ms, $east minutes east: $text", ({ ms, east, text }) => {
  assert.equal(printTime(ms, east), text);
});

Deno.test("printLocalTime() names the same moment", () => {
  assert.equal(Date.parse(printLocalTime(NOON)), NOON);
});
