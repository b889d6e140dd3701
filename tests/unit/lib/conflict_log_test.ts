import assert from "node:assert/strict";
import { ConflictLog } from "../../../lib/conflict_log.ts";
import type { Conflict } from "../../../lib/conflicts.ts";
import { MemoryLog } from "../../support/log.ts";

/** A log of conflicts that the test may change. */
function setUp() {
  const log = new MemoryLog();
  const state: { found: Conflict[] } = { found: [] };
  const conflicts = new ConflictLog({
    find: () => state.found,
    queue: (task) => task(),
    log,
  });
  return { log, state, conflicts };
}

function weight(backend: string, base: number): Conflict {
  const at = `pools/web/backends/${backend}/weight`;
  return { at, field: at, overlay: 5, base, before: 1 };
}

Deno.test("a reload's conflicts are told once, and again when the base changes once more", () => {
  const { log, state, conflicts } = setUp();
  state.found = [weight("a:1", 3)];
  assert.deepEqual(conflicts.reloaded(), state.found);
  assert.deepEqual(conflicts.reloaded(), []);
  assert.deepEqual(log.lines, [
    "warning the API's change wins over a changed configuration " +
    "at=pools/web/backends/a:1/weight overlay=5 base=3 before=1 " +
    "to_give_it_back=DELETE /overlay/pools/web/backends/a:1/weight",
  ]);
  state.found = [weight("a:1", 4), weight("b:1", 3)];
  assert.deepEqual(conflicts.reloaded(), state.found);
  assert.equal(log.lines.length, 3);
});

Deno.test("a discovered weight that goes up and down is told once, until an operator changes something", () => {
  const { log, state, conflicts } = setUp();
  for (const base of [3, 4, 3]) {
    state.found = [weight("a:1", base)];
    conflicts.discovered();
    state.found = [];
    conflicts.discovered();
  }
  assert.equal(log.lines.length, 1);
  conflicts.changed();
  state.found = [weight("a:1", 3)];
  conflicts.discovered();
  assert.equal(log.lines.length, 2);
});

Deno.test("of very many conflicts the log has 20, long values are cut, secrets masked", () => {
  const { log, state, conflicts } = setUp();
  const secret: Conflict = {
    at: "servers/web/password",
    field: "servers/web",
    overlay: "hush",
    base: "hash",
    before: null,
  };
  const long = { ...weight("z:1", 3), base: "x".repeat(1_000) };
  state.found = [secret, long, ...Array.from({ length: 30 }, (_, i) => weight(`a:${i}`, 3))];
  assert.equal(conflicts.reloaded().length, 32);
  assert.equal(log.lines.length, 21);
  assert.match(log.lines[0]!, /overlay="\*{8}" base="\*{8}" before=null/);
  assert.match(log.lines[1]!, /base="x{199}… before=1/);
  assert.equal(log.lines.at(-1), "warning GET /overlay lists 12 more such conflicts");
  assert.doesNotMatch(JSON.stringify(conflicts.all()), /hush|hash/);
});
