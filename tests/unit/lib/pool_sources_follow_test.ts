import assert from "node:assert/strict";
import { runProgram } from "../../../lib/host/program.ts";
import type { DiscoveryKind } from "../../../lib/kinds.ts";
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
    ...{ clock, random: () => 0, run: runProgram, log: new MemoryLog(), pool: "p" },
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

Deno.test("PoolSources waits longer and longer for a source that breaks off at once, up to its interval", async () => {
  const clock = new ManualClock();
  const { sources, seen } = following(clock, () => 0);
  await clock.advance(20_000);
  assert.deepEqual(seen.filter((one) => one.startsWith("watch")), [
    ...["watch 0", "watch 1", "watch 3", "watch 7", "watch 15"],
  ]);
  await clock.advance(6 * 3_600_000);
  const before = seen.length;
  await clock.advance(3_600_000);
  sources.stop();
  await clock.advance(0);
  assert.equal(seen.length - before, 2, "one question and one try an hour");
});
