import assert from "node:assert/strict";
import { runProgram } from "../../../lib/host/program.ts";
import type { DiscoveryKind } from "../../../lib/kinds.ts";
import { PoolSources } from "../../../lib/pool_sources.ts";
import { Registry } from "../../../lib/registry.ts";
import { ManualClock } from "../../support/clock.ts";
import { MemoryLog } from "../../support/log.ts";

Deno.test.each([
  { intervalMs: 10_000, holds: [3_000, 3_000], at: [0, 3_000, 6_000, 16_000] },
  { intervalMs: 10_000, holds: [60_000, Infinity], at: [0, 10_000, 20_000] },
  { intervalMs: 10_000, holds: [0, -5], at: [0, 1_000, 2_000, 12_000] },
  { intervalMs: 500, holds: [0, 60_000], at: [0, 500, 1_000, 1_500] },
  { intervalMs: 0, holds: [3_000], at: [0] },
])("a source whose answers hold $holds ms is asked at $at with an interval of $intervalMs", async ({
  intervalMs,
  holds,
  at,
}) => {
  const clock = new ManualClock();
  const asked: number[] = [];
  const left = [...holds];
  const kind: DiscoveryKind = {
    name: "fake",
    summary: "",
    shape: {},
    find(_options, context) {
      asked.push(clock.now());
      const ms = left.shift();
      if (ms !== undefined) context.holds?.(ms);
      return Promise.resolve([]);
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
  sources.start([
    { kind: "fake", options: {}, intervalMs, timeoutMs: 60_000, failpolicy: "keeplast" },
  ]);
  await clock.advance(at.at(-1)! + 1);
  sources.stop();
  assert.deepEqual(asked, at);
});
