import assert from "node:assert/strict";
import { parseBusy } from "./whole_system.ts";

Deno.test("parseBusy() counts what isn't idle, waiting or stolen", () => {
  assert.equal(parseBusy("cpu  100 200 300 9999 8888 40 60 7777 0 0"), 7);
  assert.throws(() => parseBusy("cpu0 1"), /says "cpu0 1"/);
});
