import assert from "node:assert/strict";
import { systemClock } from "../../../lib/clock.ts";

Deno.test("a sleep longer than a timer can be set to doesn't end at once, and ends when it is aborted", async () => {
  const stop = new AbortController();
  let ended = false;
  const sleeping = systemClock.sleep(2 ** 31 * 3, stop.signal).then(() => ended = true);
  await systemClock.sleep(20);
  assert.equal(ended, false);
  stop.abort();
  await sleeping;
});
