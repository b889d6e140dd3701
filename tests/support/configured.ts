/** A configuration in force: base, overlay and supervisor, over two workers in the test's own isolate. */
import { staticList } from "../../discovery/static.ts";
import { checks } from "../../health/registry.ts";
import { parseBackendLine } from "../../lib/backend_line.ts";
import { strategies } from "../../lib/balance/registry.ts";
import { systemClock } from "../../lib/clock.ts";
import { Configuration, type ConfigurationOptions } from "../../lib/configuration.ts";
import type { DiscoveryKind } from "../../lib/kinds.ts";
import type { Backend } from "../../lib/model.ts";
import { lookup } from "../../lib/net/lookup.ts";
import { Names } from "../../lib/net/names.ts";
import { NO_OVERLAY, type Overlay } from "../../lib/overlay.ts";
import { Registry } from "../../lib/registry.ts";
import { CheckPlaces } from "../../lib/check_places.ts";
import { counterBuffer, Counters } from "../../lib/stats/counters.ts";
import { Slots } from "../../lib/stats/slots.ts";
import { NO_STATE, parseState, printState, type State } from "../../lib/state.ts";
import { Supervisor } from "../../lib/supervisor.ts";
import { Workers } from "../../lib/workers.ts";
import { until } from "./backends.ts";
import { InlineWorker } from "./inline_worker.ts";
import { runProgram } from "../../lib/host/program.ts";
import { MemoryLog } from "./log.ts";

type Sections = Record<string, unknown>;

/** What {@link configured} starts with beside servers. */
export type ConfiguredOptions = {
  readonly overlay?: Overlay;
  readonly pools?: Sections;
  /** Lines of the discovery `list`. */
  readonly rows?: readonly string[];
};

/** A server with these backends. */
export function serverOf(backends: readonly string[], more: Sections = {}): Sections {
  return {
    bind: "127.0.0.1:0",
    discovery: { kind: "static", static_list: backends },
    ...more,
  };
}

/**
 * A balancer with this base, which the test may replace (`state.base`, `state.pools`), and a state file in memory. Beside
 * `static` there is the discovery `list`, which finds `state.rows` every 20 ms.
 */
export async function configured(base: Sections, options: ConfiguredOptions = {}) {
  const { overlay = NO_OVERLAY, pools, rows = [] } = options;
  const log = new MemoryLog();
  const state = { base, pools, rows, asked: 0, kept: overlay, broken: false };
  const list: DiscoveryKind = {
    name: "list",
    summary: "",
    shape: {},
    find() {
      state.asked++;
      return Promise.resolve(state.rows.map((row) => parseBackendLine(row) as Backend));
    },
  };
  const discoveries = new Registry("discovery", [staticList, list]);
  const kinds = { strategies, discoveries, checks };
  const file: ReturnType<ConfigurationOptions["stateFile"]> = {
    path: "state.json",
    read: () => parseState(printState({ ...NO_STATE, overlay: state.kept })) as State,
    write({ overlay }) {
      if (state.broken) throw new Error("No space left on device");
      state.kept = overlay;
    },
  };
  const read = () => JSON.stringify({ servers: state.base, pools: state.pools });
  const configuration = new Configuration({
    source: {
      about: { kind: "arguments" },
      read: () => Promise.resolve({ text: read(), format: "json", file: "x" }),
    },
    kinds,
    lenient: false,
    stateFile: () => file,
    startedAtMs: 0,
    wallTime: Date.now,
  });
  const buffer = counterBuffer(2);
  const counters = new Counters(buffer, 2, 2);
  const clock = systemClock;
  const workers = new Workers({
    count: 2,
    spawn: () => new InlineWorker(),
    setup: { bufferBudget: 1 << 20, debug: false },
    ...{ buffer, counters, clock, log },
  });
  const { config } = await configuration.load();
  const random = Math.random;
  const supervisor = new Supervisor({ ...config, servers: new Map(), pools: new Map() }, {
    ...{ plane: workers, counters, clock, log, random, discoveries, checks, wallTime: Date.now },
    slots: new Slots(counters),
    run: runProgram,
    names: new Names({ lookup, clock, random, onFailures: () => {} }),
    checkPlaces: new CheckPlaces(4),
    onDiscoveredWeight: () => configuration.weightsChanged(),
  });
  await workers.start();
  await supervisor.adjust(configuration.overlay().backends);
  await supervisor.apply(config);
  await configuration.attach(supervisor, log, { check: () => {}, done: () => Promise.resolve() });
  return {
    ...{ configuration, supervisor, state, log },
    port: (name: string) => supervisor.listening().find((each) => each.name === name)!.port,
    /** Resolves when the discovery `list` has found what `state.rows` says now. */
    async found(): Promise<void> {
      const { asked } = state;
      await until(() => state.asked > asked + 1);
    },
    async [Symbol.asyncDispose]() {
      supervisor.stop();
      workers.end();
      await new Promise((resolve) => setTimeout(resolve, 10));
    },
  };
}
