import { ConfigError, type Problem } from "../errors.ts";
import type { ApiSpec, Config, ConfigDocument, PoolSpec, Section, ServerSpec } from "../model.ts";
import type { AcmeSpec } from "../tls_model.ts";
import { showDefaults, showPool } from "./document.ts";
import { refuseOverlaps, refuseStrategy } from "./forward.ts";
import { merge, type Merged } from "./include.ts";
import { type ConfigText, type Format, parseText } from "./parse.ts";
import { type Kinds, PoolReader } from "./pool.ts";
import { placed } from "./positions.ts";
import { readAcme, readApi, readListener, readLogging, showTop } from "./process.ts";
import { poolsOf } from "../routes.ts";
import { quote } from "./issues.ts";
import { isTable, type Read, readSection } from "./read.ts";
import { Report } from "./report.ts";
import * as schema from "./schema.ts";
import { pool as poolSection } from "./schema_pool.ts";
import { bindKey, readServer, type Surroundings } from "./server.ts";
import { conceal, type Variable } from "./variables.ts";

export type { Format, Kinds };

/** How a configuration is read. */
export type LoadOptions = {
  /** The name that problems carry. */
  readonly file: string;
  readonly format: Format;
  readonly kinds: Kinds;
  /** Makes unknown keys warnings. */
  readonly lenient?: boolean;
  /** The texts that its `include` names; undefined where nothing can be included. */
  readonly included?: readonly ConfigText[];
  /** What was found odd before the text was loaded. */
  readonly warnings?: readonly Problem[];
  /** Whose values stand in the text, and are kept out of messages. */
  readonly variables?: readonly Variable[];
  /** Changes the tree of all texts before it is judged. */
  readonly amend?: (tree: unknown) => unknown;
};

/** A configuration, and what is odd about it without being wrong. */
export type Loaded = { readonly config: Config; readonly warnings: readonly Problem[] };

const BUFFER_MAX_BYTES = 256 * 1024;

/**
 * Reads and checks a configuration, and fills in all defaults. Pure: nothing is opened and no name is looked up.
 *
 * @throws ConfigError with everything that is wrong, each with its line and column.
 */
export function loadConfig(text: string, options: LoadOptions): Loaded {
  const { variables = [], warnings: known = [] } = options;
  const quiet = (problems: readonly Problem[]) =>
    variables.length === 0 ? problems : problems.map((problem) => conceal(problem, variables));
  try {
    const { config, warnings } = load(text, options);
    return { config, warnings: quiet([...known, ...warnings]) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(quiet(error.problems), quiet(known));
  }
}

function load(text: string, options: LoadOptions): Loaded {
  const { file, format, included = [], lenient = false, amend = (tree) => tree } = options;
  const main: ConfigText = { text, file, format };
  const merged = merge(parseText(text, file, format), file, included, lenient);
  const report = new Report(lenient);
  const config = readConfig(amend(merged.tree), options, report);
  const place = (problems: readonly Problem[]) => allPlaced(problems, [main, ...included], merged);
  const errors = [...place(report.errors), ...merged.errors];
  if (config === undefined || errors.length > 0) throw new ConfigError(errors);
  return { config, warnings: [...place(report.warnings), ...merged.warnings] };
}

/** Each problem with its place in the text that holds it, text by text. */
function allPlaced(
  problems: readonly Problem[],
  texts: readonly [ConfigText, ...ConfigText[]],
  { origin }: Merged,
): Problem[] {
  const byText = Map.groupBy(problems, ({ path }) => origin(path) ?? texts[0]);
  return texts.flatMap((text) => placed(byText.get(text) ?? [], text));
}

function readConfig(
  raw: unknown,
  { kinds, included }: LoadOptions,
  report: Report,
): Config | undefined {
  const read = readSection(raw, schema.top, [], report);
  if (read === undefined) return undefined;
  const { given, values } = read;
  if (included === undefined && values.include !== undefined && values.include.length > 0) {
    report.error(
      ["include"],
      "only a configuration file can include others\nwrite what they hold into this text, or use from-file",
    );
  }
  const defaults: Read<schema.DefaultKeys> =
    readSection(given["defaults"] ?? {}, schema.defaults, ["defaults"], report) ??
      { given: {}, values: {} };
  const [logging, shownLogging] = readLogging(given["logging"], report);
  const [api, shownApi] = readApi(given["api"], report);
  const [acme, shownAcme] = readAcme(given["acme"], report);
  const reader = new PoolReader(kinds, report);
  const pools = readPools(given["pools"], reader);
  const servers = readServers(given["servers"], pools, {
    pools: reader,
    poolNames: isTable(given["pools"]) ? Object.keys(given["pools"]) : [],
    binds: bindsOf(api, acme),
    acmeFolder: acme?.folder,
    defaults,
    bufferMaxBytes: values.buffer_max ?? BUFFER_MAX_BYTES,
  });
  const document: ConfigDocument = {
    logging: shownLogging,
    api: shownApi,
    metrics: readListener(given["metrics"], schema.metrics, report),
    defaults: showDefaults(defaults.given),
    acme: shownAcme,
    profiler: readListener(given["profiler"], schema.profiler, report),
    servers: servers.shown,
    ...given["pools"] === undefined ? {} : { pools: pools.shown },
    top: showTop(given),
  };
  return {
    process: {
      watchdogMs: values.watchdog ?? 0,
      shutdownMs: values.shutdown_timeout ?? 0,
      takeoverMs: values.takeover_timeout ?? 0,
      ...values.workers === undefined ? {} : { workers: values.workers },
      ...values.state_file === undefined ? {} : { stateFile: values.state_file },
      ...values.max_sessions === undefined ? {} : { maxSessions: values.max_sessions },
    },
    logging,
    ...api === undefined ? {} : { api },
    ...acme === undefined ? {} : { acme },
    servers: servers.specs,
    pools: pools.specs,
    document,
  };
}

/** Who binds where beside servers. */
function bindsOf(api: ApiSpec | undefined, acme: AcmeSpec | undefined): Map<string, string> {
  const binds = new Map<string, string>();
  if (acme !== undefined) binds.set(bindKey(acme.bind), "acme.http_bind");
  if (api !== undefined) binds.set(bindKey(api.bind), "the API");
  return binds;
}

/** Path segments that mean something else, and what every object has. */
const RESERVED = [".", "..", ...Object.getOwnPropertyNames(Object.prototype)];
/** Names go into logs, tables and paths of the API: nothing invisible, no space at the ends, not longer than anybody would write. */
const NAME = /^(?!\s)[^\p{C}\p{Zl}\p{Zp}]{1,100}(?<!\s)$/u;

type Named<T> = { readonly specs: Map<string, T>; readonly shown: Record<string, Section> };

/** The members of `[servers]` or `[pools]` whose names can be used. */
function* named(raw: unknown, section: string, report: Report): Generator<[string, unknown]> {
  if (raw === undefined) return;
  const all: schema.Section<Record<never, never>> = {
    at: section,
    summary: "",
    keys: {},
    sections: [],
  };
  if (!isTable(raw)) {
    readSection(raw, all, [section], report);
    return;
  }
  for (const [name, inner] of Object.entries(raw)) {
    if (NAME.test(name) && !RESERVED.includes(name)) yield [name, inner];
    else {report.error(
        [section, name],
        `${
          quote(name)
        } can't be a name\nit has 1 to 100 visible characters; best are letters, digits, - and _`,
      );}
  }
}

function readPools(raw: unknown, reader: PoolReader): Named<PoolSpec> {
  const { report } = reader;
  const specs = new Map<string, PoolSpec>();
  const shown: Record<string, Section> = {};
  for (const [name, inner] of named(raw, "pools", report)) {
    const path = ["pools", name];
    const read = readSection(inner, poolSection, path, report);
    if (read === undefined) continue;
    if (read.given["discovery"] === undefined) {
      report.error(path, `has no backends: discovery is missing\nadd [pools.${name}.discovery]`);
      continue;
    }
    const pool = reader.read(name, read.values.balance, read.given, path);
    if (pool === undefined) continue;
    specs.set(name, pool.spec);
    shown[name] = showPool(pool);
  }
  return { specs, shown };
}

/** Reads all servers; pools of their own are added to `pools`. */
function readServers(
  raw: unknown,
  pools: Named<PoolSpec>,
  around: Surroundings,
): Named<ServerSpec> {
  const { report } = around.pools;
  const specs = new Map<string, ServerSpec>();
  const shown: Record<string, Section> = {};
  const used = new Set<string>();
  for (const [name, inner] of named(raw, "servers", report)) {
    const server = readServer(name, inner, around);
    if (server === undefined) continue;
    const { spec, pool } = server;
    specs.set(name, spec);
    shown[name] = server.shown;
    for (const led of poolsOf(spec)) used.add(led);
    if (pool !== undefined) pools.specs.set(name, pool.spec);
    if (spec.forward !== undefined && spec.pool !== undefined) {
      const strategy = pools.specs.get(spec.pool)?.strategy;
      const at = ["servers", name, pool === undefined ? "pool" : "balance"];
      if (strategy !== undefined) refuseStrategy(strategy, at, report);
    }
  }
  refuseOverlaps(specs.values(), around.binds, report);
  for (const name of pools.specs.keys()) {
    if (!used.has(name)) report.warn(["pools", name], "no server leads to it");
  }
  return { specs, shown };
}
