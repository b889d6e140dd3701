import assert from "node:assert/strict";
import type { Backend, DiscoverySpec } from "../../../lib/model.ts";
import { SourceState } from "../../../lib/source_state.ts";
import { MemoryLog } from "../../support/log.ts";

const backend = (host: string): Backend => ({
  ...{ host, port: 80, weight: 1, priority: 1, maxConnections: 0, sni: "" },
});

function setUp(more: Partial<DiscoverySpec> = {}, fixed = false) {
  const log = new MemoryLog();
  const spec: DiscoverySpec = {
    kind: "json",
    options: { json_endpoint: "http://me:secret@a/", json_root_path: "x" },
    ...{ intervalMs: 1, timeoutMs: 1, failpolicy: "keeplast" },
    ...more,
  };
  let now = 0;
  const surroundings = { log, pool: "p", fixed, wallTime: () => now += 1000 };
  return { log, source: new SourceState(spec, undefined, surroundings) };
}

const ABOUT = "pool=p kind=json source=http://me:********@a/";

Deno.test("SourceState tells of changes of the list, and of none", () => {
  const { log, source } = setUp();
  source.answered([backend("a"), backend("b")]);
  source.answered([backend("b"), backend("a")]);
  source.answered([backend("b"), backend("c")]);
  source.answered([]);
  source.answered([]);
  assert.deepEqual(log.lines, [
    `info discovery lists other backends ${ABOUT} backends=2 added=2 removed=0`,
    `info discovery lists other backends ${ABOUT} backends=2 added=1 removed=1`,
    `warning discovery lists no backends ${ABOUT} before=2`,
  ]);
  const status = { kind: "json", source: "http://me:********@a/", backends: 0, failing: undefined };
  assert.deepEqual(source.status(), status);
});

Deno.test("SourceState warns of a first list without backends, a typo perhaps", () => {
  const { log, source } = setUp({ options: { exec_command: ["/bin/a", "b\x1b"] } });
  source.answered([]);
  assert.deepEqual(log.lines, [
    "warning discovery lists no backends pool=p kind=json source=/bin/a b\\x1b before=0",
  ]);
});

Deno.test("SourceState says why it fails and since when, each reason once", () => {
  const { log, source } = setUp();
  source.answered([backend("a")]);
  log.lines.length = 0;
  for (const why of ["refused", "refused", "\x1b[2J" + "x".repeat(1000)]) {
    assert.equal(source.failed(new Error(why)), false);
  }
  assert.deepEqual(log.lines, [
    `error discovery failed ${ABOUT} why=refused backends=1`,
    `error discovery failed ${ABOUT} why=\\x1b[2J${"x".repeat(292)}… backends=1`,
  ]);
  assert.equal(source.status().failing?.sinceMs, 1000);
  source.answered([backend("a")]);
  assert.equal(log.lines.at(-1), `info discovery answers again ${ABOUT} backends=1`);
  assert.equal(source.status().failing, undefined);
});

Deno.test("SourceState with setempty has no list any more, and a fixed one is told of by nobody", () => {
  const { source } = setUp({ failpolicy: "setempty" });
  source.answered([backend("a")]);
  assert.equal(source.failed(new Error("x")), true);
  assert.deepEqual(source.list, []);
  const fixed = setUp({}, true);
  fixed.source.answered([backend("a")]);
  assert.deepEqual(fixed.log.lines, []);
});

Deno.test("SourceState tells ten reasons at most before it answers again", () => {
  const { log, source } = setUp();
  for (let i = 0; i < 30; i++) source.failed(new Error(`at ${i}`));
  assert.equal(log.lines.length, 10);
});
