import assert from "node:assert/strict";
import { renewalAt, retryMs } from "../../../../lib/acme/renewal.ts";

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

Deno.test("a certificate is renewed when a third of its time is left, or a little earlier", () => {
  assert.equal(renewalAt(0, 90 * DAY_MS, 0), 60 * DAY_MS);
  assert.equal(Math.round(renewalAt(0, 90 * DAY_MS, 0.5) / DAY_MS), 58);
  for (const share of [0, 0.3, 0.999]) {
    const at = renewalAt(1_000 * DAY_MS, 1_006 * DAY_MS, share);
    assert(at > 1_003.7 * DAY_MS && at <= 1_004 * DAY_MS, String(share));
  }
});

Deno.test("pauses double from 2 minutes to 6 hours, and are up to half of it shorter", () => {
  const pauses = (random: number) =>
    [1, 2, 3, 8, 9, 100].map((n) => retryMs(n, random) / MINUTE_MS);
  assert.deepEqual(pauses(0), [2, 4, 8, 256, 360, 360]);
  assert.deepEqual(pauses(1), [1, 2, 4, 128, 180, 180]);
});
