import assert from "node:assert/strict";
import { ConfigError, StartError } from "../../../lib/errors.ts";
import { reasonsOf, Reloads } from "../../../lib/reloads.ts";
import { MemoryLog } from "../../support/log.ts";
import { NO_CHANGES } from "../../support/control.ts";

const problem = (path: string) => ({ path: [path], message: "no", hint: "do it", file: "x" });

Deno.test("Reloads counts by outcome and tells of the last one", async () => {
  let now = 0;
  const log = new MemoryLog();
  const reloads = new Reloads(() => ++now);
  assert.deepEqual(reloads.read(), { applied: 0, failed: 0 });
  const done = { changes: NO_CHANGES, more: 1 };
  assert.equal(await reloads.count("signal", () => Promise.resolve(done), log), done);
  assert.deepEqual(reloads.read(), {
    applied: 1,
    failed: 0,
    last: { atMs: 1, order: "signal", changes: NO_CHANGES },
  });
  const error = new ConfigError([problem("a"), problem("b")]);
  await assert.rejects(
    reloads.count("source", () => Promise.reject<typeof done>(error), log),
    (thrown) => thrown === error,
  );
  assert.deepEqual(reloads.read(), {
    applied: 1,
    failed: 1,
    last: { atMs: 2, order: "source", errors: ["x: a: no; do it", "x: b: no; do it"] },
  });
  assert.deepEqual(log.lines, [
    "error the new configuration isn't used, the old one stays in force order=source",
    "error x: a: no; do it",
    "error x: b: no; do it",
  ]);
});

Deno.test("reasonsOf() has one line for each thing that is wrong", () => {
  assert.deepEqual(reasonsOf(new StartError("taken\n  and gone", "choose")), [
    "taken; and gone; choose",
  ]);
  assert.deepEqual(reasonsOf(new StartError("taken", "")), ["taken"]);
  assert.deepEqual(reasonsOf("just text"), ["just text"]);
});
