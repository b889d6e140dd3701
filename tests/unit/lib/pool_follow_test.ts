import assert from "node:assert/strict";
import { runProgram } from "../../../lib/host/program.ts";
import type { DiscoveryKind } from "../../../lib/kinds.ts";
import { WatchRefusedError } from "../../../lib/errors.ts";
import { PoolSources } from "../../../lib/pool_sources.ts";
import { Registry } from "../../../lib/registry.ts";
import { ManualClock } from "../../support/clock.ts";
import { MemoryLog } from "../../support/log.ts";

/** Sources of one kind that tells of changes for so long before it breaks off, at an interval of an hour. */
function following(clock: ManualClock, tellsForMs: () => number) {
  const seen: string[] = [];
  const told = (name: string) => void seen.push(`${name} ${Math.round(clock.now() / 1_000)}`);
  const kind: DiscoveryKind = {
    ...{ name: "fake", summary: "", shape: {} },
    find: () => {
      told("find");
      return Promise.resolve([]);
    },
    watch: async function* (_options, { signal }) {
      told("watch");
      yield [];
      await clock.sleep(tellsForMs(), signal);
      throw new Error("broke off");
    },
  };
  const sources = new PoolSources({
    discoveries: new Registry("discovery", [kind]),
    ...{
      clock,
      random: () => 0,
      run: runProgram,
      log: new MemoryLog(),
      pool: "p",
      wallTime: () => 0,
    },
    onChange: () => {},
  });
  const spec = { kind: "fake", options: {}, intervalMs: 3_600_000, timeoutMs: 5_000 };
  sources.start([{ ...spec, failpolicy: "keeplast" }]);
  return { sources, seen };
}

Deno.test("PoolSources listens again at once to a source that has told of changes for a while", async () => {
  const clock = new ManualClock();
  const { sources, seen } = following(clock, () => 20_000);
  await clock.advance(50_000);
  sources.stop();
  await clock.advance(0);
  assert.deepEqual(seen, ["watch 0", "find 20", "watch 20", "find 40", "watch 40"]);
});

Deno.test("PoolSources waits longer and longer for a source that breaks off at once, up to 10 s", async () => {
  const clock = new ManualClock();
  const { sources, seen } = following(clock, () => 0);
  await clock.advance(20_000);
  assert.deepEqual(seen.filter((one) => one.startsWith("watch")), [
    ...["watch 0", "watch 1", "watch 3", "watch 7", "watch 15"],
  ]);
  await clock.advance(60_000);
  const before = seen.length;
  await clock.advance(60_000);
  sources.stop();
  await clock.advance(0);
  assert.equal(seen.length - before, 12, "one question and one try every 10 s");
});

Deno.test("PoolSources asks at the interval whom it may not listen to, and says so once", async () => {
  const clock = new ManualClock();
  const log = new MemoryLog();
  const seen: string[] = [];
  let why = 'it may not "watch"';
  let lists = true;
  const told = (name: string) => void seen.push(`${name} ${Math.round(clock.now() / 1_000)}`);
  const kind: DiscoveryKind = {
    ...{ name: "fake", summary: "", shape: {} },
    find: () => {
      told("find");
      return Promise.resolve([]);
    },
    watch: async function* (_options, { signal }) {
      told("watch");
      if (lists) yield [];
      if (why === "") await clock.sleep(1e9, signal);
      throw new WatchRefusedError(why);
    },
  };
  const changes: number[] = [];
  const sources = new PoolSources({
    discoveries: new Registry("discovery", [kind]),
    ...{ clock, random: () => 0, run: runProgram, log, pool: "p", wallTime: () => 0 },
    onChange: () => void changes.push(sources.backends().size),
  });
  const spec = { kind: "fake", options: {}, intervalMs: 30_000, timeoutMs: 5_000 };
  sources.start([{ ...spec, failpolicy: "setempty" }]);
  await clock.advance(95_000);
  assert.deepEqual(seen, ["watch 0", "watch 30", "watch 60", "watch 90"], "each gave the list");
  const line =
    "warning a source doesn't tell of changes: it is asked again and again pool=p kind=fake source=";
  const empty = "warning discovery lists no backends pool=p kind=fake source= before=0";
  assert.deepEqual(log.lines, [empty, `${line} why=it may not "watch"`]);
  lists = false;
  why = "for another reason";
  await clock.advance(55_000);
  assert.deepEqual(seen.slice(4), ["watch 120", "find 120", "watch 150", "find 150"]);
  assert.deepEqual(log.lines.slice(2), [`${line} why=for another reason`]);
  why = "";
  await clock.advance(100_000);
  assert.deepEqual(seen.slice(8), ["watch 180"], "it may, from now on");
  sources.stop();
  await clock.advance(0);
  assert.equal(log.lines.length, 3);
});

Deno.test("PoolSources tells of each failure once, of ten at most, and that there is an answer again", async () => {
  const clock = new ManualClock();
  const log = new MemoryLog();
  let asked = 0;
  let fails: (asked: number) => string = (asked) => `reason ${asked % 2}`;
  const kind: DiscoveryKind = {
    ...{ name: "fake", summary: "", shape: {} },
    find: () => {
      const why = fails(asked++);
      return why === "" ? Promise.resolve([]) : Promise.reject(new Error(why));
    },
  };
  const sources = new PoolSources({
    discoveries: new Registry("discovery", [kind]),
    ...{ clock, random: () => 0, run: runProgram, log, pool: "p", wallTime: () => 0 },
    onChange: () => {},
  });
  const spec = { kind: "fake", options: {}, intervalMs: 1_000, timeoutMs: 5_000 };
  sources.start([{ ...spec, failpolicy: "keeplast" }]);
  await clock.advance(20_000);
  const failed = "error discovery failed pool=p kind=fake source= why=reason";
  const again = "info discovery answers again pool=p kind=fake";
  assert.deepEqual(log.lines.splice(0), [`${failed} 0 backends=0`, `${failed} 1 backends=0`]);
  fails = () => "";
  await clock.advance(5_000);
  assert.deepEqual(log.lines.splice(0), [
    `${again} source= backends=0`,
    "warning discovery lists no backends pool=p kind=fake source= before=0",
  ]);
  fails = (asked) => `at ${asked} o'clock`;
  await clock.advance(50_000);
  assert.equal(log.lines.length, 10);
  sources.stop();
  await clock.advance(0);
});
