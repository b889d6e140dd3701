/** What makes a pool: strategy, discoveries, check; in a section of its own or inside a server. */
import type { CheckKind, DiscoveryKind, StrategyKind } from "../kinds.ts";
import type { CheckSpec, DiscoverySpec, PoolSpec, Section as Shown } from "../model.ts";
import type { Registry } from "../registry.ts";
import { quote } from "./issues.ts";
import { showCheck, showDiscovery } from "./document.ts";
import { chooseKind, KindSections, valueOf } from "./kind.ts";
import { gobetweenChecks, gobetweenDiscoveries, gobetweenStrategies } from "./legacy.ts";
import { isTable, readSection, type Table } from "./read.ts";
import type { Path, Report } from "./report.ts";
import * as schema from "./schema_pool.ts";

/** The registries that a configuration is checked against. */
export type Kinds = {
  readonly strategies: Registry<StrategyKind>;
  readonly discoveries: Registry<DiscoveryKind>;
  readonly checks: Registry<CheckKind>;
};

/** A pool and its keys as the API shows them. */
export type ReadPool = {
  readonly spec: PoolSpec;
  readonly balance: string;
  readonly discovery: Shown | readonly Shown[];
  readonly healthcheck: Shown;
};

type Judged<T> = { readonly spec: T; readonly shown: Shown };

const DISCOVERY_INTERVAL_MS = 10_000;
const TIMEOUT_MS = 5_000;

/** Reads the parts of pools. One for each configuration. */
export class PoolReader {
  readonly #discoveries: KindSections<DiscoveryKind, schema.DiscoveryKeys>;
  readonly #checks: KindSections<CheckKind, schema.CheckKeys>;

  /** A reader that knows these kinds and reports there. */
  constructor(readonly kinds: Kinds, readonly report: Report) {
    const { discoveries, checks } = kinds;
    this.#discoveries = new KindSections(discoveries, schema.discovery, gobetweenDiscoveries);
    this.#checks = new KindSections(checks, schema.check, gobetweenChecks);
  }

  /**
   * The pool made of `balance`, `discovery` and `healthcheck` of a section; undefined when something in it is wrong, which
   * has then been reported.
   */
  read(name: string, balance: string | undefined, given: Table, path: Path): ReadPool | undefined {
    const { report } = this;
    const strategy = chooseKind(
      balance ?? "weight",
      this.kinds.strategies,
      gobetweenStrategies,
      [...path, "balance"],
      report,
    );
    const check = this.#check(given["healthcheck"], [...path, "healthcheck"]);
    const found = given["discovery"];
    const many = Array.isArray(found);
    const parts = many
      ? found.map((one, i) => this.#discovery(one, [...path, "discovery", i]))
      : [this.#discovery(found, [...path, "discovery"])];
    if (many && parts.length === 0) report.error([...path, "discovery"], "is empty");
    const discoveries = parts.filter((part) => part !== undefined);
    if (strategy === undefined || check === undefined || discoveries.length < parts.length) return;
    return {
      spec: {
        name,
        strategy: strategy.name,
        discoveries: discoveries.map((part) => part.spec),
        ...check.spec === undefined ? {} : { check: check.spec },
      },
      balance: strategy.name,
      discovery: many ? discoveries.map((part) => part.shown) : discoveries[0]!.shown,
      healthcheck: check.shown,
    };
  }

  #discovery(raw: unknown, path: Path): Judged<DiscoverySpec> | undefined {
    const { report } = this;
    if (!isTable(raw)) {
      readSection(raw, schema.discovery, path, report);
      return undefined;
    }
    const kind = chooseKind(
      valueOf(raw, "kind"),
      this.kinds.discoveries,
      Object.keys(gobetweenDiscoveries),
      [...path, "kind"],
      report,
    );
    const { section, options } = kind === undefined
      ? this.#discoveries.unknown()
      : this.#discoveries.of(kind);
    const read = readSection(raw, section, path, report, options);
    if (kind === undefined || read === undefined) return undefined;
    const { given, values } = read;
    const own = ownKeys(kind.shape, values);
    this.#warnOfEmpty(kind, own, path);
    this.#judge(kind, own, values, path);
    const spec: DiscoverySpec = {
      kind: kind.name,
      options: own,
      intervalMs: kind.fixed ? 0 : values.interval ?? DISCOVERY_INTERVAL_MS,
      timeoutMs: values.timeout || TIMEOUT_MS,
      failpolicy: values.failpolicy ?? "keeplast",
    };
    return { spec, shown: showDiscovery(spec, given, raw) };
  }

  #check(raw: unknown, path: Path): { spec?: CheckSpec; shown: Shown } | undefined {
    const { report } = this;
    if (raw === undefined) return { shown: showCheck({}, {}) };
    const name = isTable(raw) ? valueOf(raw, "kind") : undefined;
    if (!isTable(raw) || name === "none") {
      const { section, options } = this.#checks.none();
      const read = readSection(raw, section, path, report, options);
      return read && { shown: showCheck(read.given, {}) };
    }
    const known = Object.keys(gobetweenChecks);
    const place = [...path, "kind"];
    const kind = chooseKind(name, this.kinds.checks, known, place, report, ["none"]);
    const { section, options } = kind === undefined
      ? this.#checks.unknown()
      : this.#checks.of(kind);
    const read = readSection(raw, section, path, report, options);
    if (kind === undefined || read === undefined) return undefined;
    const { given, values } = read;
    if (given["interval"] === undefined) {
      report.error([...path, "interval"], 'is missing\nfor example interval = "2s"');
    } else if (values.interval === 0) {
      const text = `${
        quote(given["interval"])
      } is no time between checks\nfor example interval = "2s"`;
      report.error([...path, "interval"], text);
    }
    const own = ownKeys(kind.shape, values);
    this.#judge(kind, own, values, path);
    const spec: CheckSpec = {
      kind: kind.name,
      options: own,
      ...values.port === undefined ? {} : { port: values.port },
      ...values.addr === undefined ? {} : { address: values.addr },
      intervalMs: values.interval ?? 0,
      timeoutMs: values.timeout || TIMEOUT_MS,
      fails: Math.max(1, values.fails ?? 1),
      passes: Math.max(1, values.passes ?? 1),
      initiallyLive: values.initial_status !== "unhealthy",
    };
    return { spec, shown: showCheck(given, raw) };
  }

  /** Reports what is wrong with a kind's keys together. */
  #judge(kind: DiscoveryKind | CheckKind, own: Table, values: Table, path: Path): void {
    // a key that is wrong by itself isn't among the values, and has been reported
    const judged = Object.keys(kind.shape).every((key) => Object.hasOwn(values, key));
    for (const problem of judged ? kind.problems?.(own) ?? [] : []) {
      this.report.error([...path, problem.key], problem.message);
    }
  }

  /** A key may say in its schema what it means when it is empty. */
  #warnOfEmpty(kind: DiscoveryKind, own: Table, path: Path): void {
    for (const [key, value] of Object.entries(own)) {
      if (!Array.isArray(value) || value.length > 0) continue;
      const warning = metaOf(kind.shape[key])["warnWhenEmpty"];
      if (typeof warning === "string") this.report.warn([...path, key], warning);
    }
  }
}

/** What a key's schema says about itself beside its description. */
export function metaOf(schema: unknown): Table {
  return (schema as { meta?(): Table | undefined } | undefined)?.meta?.() ?? {};
}

/** The keys of a kind alone, without those that were not given and have no default. */
function ownKeys(shape: Table, values: Table): Record<string, unknown> {
  return Object.fromEntries(
    Object.keys(shape).filter((key) => values[key] !== undefined).map((key) => [key, values[key]]),
  );
}
