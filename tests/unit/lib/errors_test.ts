import assert from "node:assert/strict";
import { printable } from "../../../lib/errors.ts";

Deno.test("printable() writes out what would play tricks on a terminal, and leaves letters alone", () => {
  assert.equal(printable("é 名\x1b[2J\n\u202egnp\x85"), "é 名\\x1b[2J\\x0a\\u202egnp\\x85");
});
