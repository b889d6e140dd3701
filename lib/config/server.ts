import { parseAccessRule } from "../access.ts";
import type { AccessRule, AccessSpec, Bind, ProxySpec, Section, ServerSpec } from "../model.ts";
import type { RoutingSpec } from "../routing_spec.ts";
import { showServer } from "./document.ts";
import type { PoolReader, ReadPool } from "./pool.ts";
import { type Read, readSection, type Table } from "./read.ts";
import type { Path, Report } from "./report.ts";
import { checkPool, type ReadRoutes, readRoutes } from "./routes.ts";
import { listenerSections, type ProxyProtocolKeys, type SniKeys } from "./schema_listener.ts";
import * as schema from "./schema.ts";
import { forwardOf } from "./forward.ts";
import { backendsTlsOf, tlsOf } from "./tls.ts";
import { refusePing, udpOf } from "./udp.ts";

/** What servers need to know of the rest of the file. */
export type Surroundings = {
  readonly pools: PoolReader;
  /** Names of `[pools]`, those that are wrong included. */
  readonly poolNames: readonly string[];
  readonly defaults: Read<schema.DefaultKeys>;
  /** Who binds where, by {@link bindKey}. Servers add themselves. */
  readonly binds: Map<string, string>;
  readonly bufferMaxBytes: number;
  /** Where certificates by ACME are kept; absent: there are none. */
  readonly acmeFolder: string | undefined;
};

/** A server, its own pool when it has one, and how the API shows it. */
export type ReadServer = {
  readonly spec: ServerSpec;
  readonly pool?: ReadPool;
  readonly shown: Section;
};

const DIAL_MS = 5_000;
/** Longest wait for a hello where only routes ask for it, so that no `read_timeout` says else. */
const HELLO_MS = 5_000;

/** Reads `[servers.NAME]`. Undefined when something in it is wrong, which has then been reported. */
export function readServer(
  name: string,
  raw: unknown,
  around: Surroundings,
): ReadServer | undefined {
  const { report } = around.pools;
  const path = ["servers", name];
  const read = readSection(raw, schema.server, path, report);
  if (read === undefined) return undefined;
  const { given, values } = read;
  const protocol = values.protocol === "udp" ? "udp" : "tcp";
  if (values.bind !== undefined) claim(values.bind, protocol, name, around);
  const routes = readRoutes(given["routes"], [...path, "routes"], around);
  const pool = readPool(name, read, routes, around, path);
  const access = readAccess(given["access"], [...path, "access"], around);
  const inner = readListener(given, path, report);
  const proxy = proxyOf(inner["proxy_protocol"], [...path, "proxy_protocol"], report);
  const limits = limitsOf(values, around);
  const idleMs = Math.min(limits.clientIdleMs || Infinity, limits.backendIdleMs || Infinity);
  const udp = udpOf(inner["udp"], given, routes, isFinite(idleMs) ? idleMs : 0, path, report);
  refusePing(given, path, report);
  const forward = forwardOf(given, around.defaults.given, path, report);
  const tls = protocol === "udp" ? undefined : tlsOf(inner["tls"], given, path, around);
  if (tls === undefined && proxy?.extras?.includes("ssl")) {
    const text =
      '"ssl" says nothing where clients speak plainly\nremove it, or add [servers.NAME.tls]';
    report.warn([...path, "proxy_protocol", "extras"], text);
  }
  const backendsTls = backendsTlsOf(inner["backends_tls"], path, report);
  if (values.bind === undefined || pool === undefined || access === undefined) return undefined;
  const routing = routingOf(inner["sni"], routes);
  const canonical = {
    ...given,
    ...shownOf(inner),
    ...access.given && { access: access.given },
    ...given["routes"] === undefined ? {} : { routes: routes.shown },
  };
  const own = typeof pool === "object" ? pool : undefined;
  return {
    spec: {
      name,
      bind: values.bind,
      protocol,
      ...pool === "none" ? {} : { pool: values.pool ?? name },
      ...routing === undefined ? {} : { routing },
      maxConnections: values.max_connections ?? around.defaults.values.max_connections ?? 0,
      limits,
      access: access.spec,
      ...proxy === undefined ? {} : { proxy },
      ...tls === undefined ? {} : { tls },
      ...backendsTls === undefined ? {} : { backendsTls },
      ...udp === undefined ? {} : { udp },
      ...forward === undefined ? {} : { forward },
      onRemove: values.on_remove ?? "finish",
    },
    ...own === undefined ? {} : { pool: own },
    shown: showServer(canonical, around.defaults.given, own),
  };
}

/** The sections about the listener that are given, by name. */
function readListener(given: Table, path: Path, report: Report): Readonly<Record<string, Inside>> {
  const inside: Record<string, Inside> = {};
  for (const [key, { section }] of Object.entries(listenerSections)) {
    if (given[key] === undefined) continue;
    const read = readSection(given[key], section, [...path, key], report);
    if (read !== undefined) inside[key] = read;
  }
  return inside;
}

type Inside = Read<Record<string, unknown>>;

/** The same as the API shows them. */
function shownOf(inside: Readonly<Record<string, Inside>>): Table {
  return Object.fromEntries(
    Object.entries(inside).map((
      [key, { given }],
    ) => [key, { ...listenerSections[key]!.shown, ...given }]),
  );
}

function routingOf(sni: Inside | undefined, { routes }: ReadRoutes): RoutingSpec | undefined {
  if (sni === undefined) return routes.length === 0 ? undefined : { routes, readMs: HELLO_MS };
  const values = sni.values as SniKeys;
  const {
    hostname_matching_strategy: matching = "exact",
    unexpected_hostname_strategy: unexpected = "default",
    read_timeout: readMs = HELLO_MS,
  } = values;
  return { routes, sni: { matching, unexpected }, readMs };
}

function proxyOf(read: Inside | undefined, path: Path, report: Report): ProxySpec | undefined {
  if (read === undefined) return undefined;
  const { version, accept_from: from = [], read_timeout, extras } = read
    .values as ProxyProtocolKeys;
  if (version === undefined && from.length === 0) {
    report.error(path, "says nothing\ngive version, accept_from or both");
  }
  if (version === "1" && extras !== undefined && extras.length > 0) {
    report.error([...path, "extras"], 'need version = "2"\nversion 1 carries addresses alone');
  }
  return {
    ...{ send: version === undefined ? 0 : version === "1" ? 1 : 2, from, readMs: read_timeout! },
    ...extras === undefined || extras.length === 0 ? {} : { extras },
  };
}

/** Tells two binds apart; what is equal can't be bound twice. */
export function bindKey(bind: Bind, protocol: ServerSpec["protocol"] = "tcp"): string {
  return `${protocol} ${bind.hostname} ${bind.port}`;
}

function claim(
  bind: Bind,
  protocol: ServerSpec["protocol"],
  name: string,
  { binds, pools }: Surroundings,
): void {
  const key = bindKey(bind, protocol);
  const owner = bind.port === 0 ? undefined : binds.get(key);
  if (owner === undefined) binds.set(key, `server "${name}"`);
  else {
    const text = `"${bind.text}" is already taken by ${owner}\ngive each its own port`;
    pools.report.error(["servers", name, "bind"], text);
  }
}

function limitsOf(
  values: Read<schema.ServerKeys>["values"],
  { defaults, bufferMaxBytes }: Surroundings,
): ServerSpec["limits"] {
  const inherited = defaults.values;
  return {
    clientIdleMs: values.client_idle_timeout ?? inherited.client_idle_timeout ?? 0,
    backendIdleMs: values.backend_idle_timeout ?? inherited.backend_idle_timeout ?? 0,
    halfCloseMs: values.half_close_timeout ?? 0,
    dialMs: (values.backend_connection_timeout ?? inherited.backend_connection_timeout) || DIAL_MS,
    dialBudgetMs: values.dial_budget ?? 0,
    dialAttempts: values.dial_attempts ?? 1,
    bufferMaxBytes: values.buffer_max ?? bufferMaxBytes,
  };
}

/**
 * Either the pool that the server names, or the one that its own keys make: exactly one of them, or, beside routes, none.
 */
function readPool(
  name: string,
  { given, values }: Read<schema.ServerKeys>,
  routes: ReadRoutes,
  around: Surroundings,
  path: Path,
): ReadPool | "named" | "none" | undefined {
  const { report } = around.pools;
  if (given["pool"] === undefined) {
    if (given["discovery"] === undefined) return readNoPool(given, routes, path, report);
    if (routes.whole !== undefined) warnOfRest([...path, "discovery"], routes.whole, report);
    if (around.poolNames.includes(name)) {
      const hint = `say pool = "${name}" instead of discovery, or rename one of them`;
      report.error(path, `has backends of its own, and a pool has the same name\n${hint}`);
    }
    return around.pools.read(name, values.balance, given, path);
  }
  const extra = ["discovery", "healthcheck", "balance"].filter((key) => given[key] !== undefined);
  for (const key of extra) {
    const hint = `move it to the pool's section, or leave pool out`;
    report.error([...path, key], `can't stand beside pool\n${hint}`);
  }
  if (values.pool !== undefined) checkPool(values.pool, [...path, "pool"], around);
  if (routes.whole !== undefined) warnOfRest([...path, "pool"], routes.whole, report);
  return "named";
}

/** Neither pool nor discovery, which is right where routes lead to pools. */
function readNoPool(
  given: Table,
  { some }: ReadRoutes,
  path: Path,
  report: Report,
): "none" | undefined {
  if (!some) {
    const hint = `add [${path.join(".")}.discovery], or pool = "NAME" for one of [pools]`;
    report.error(path, `has no backends: neither discovery nor pool\n${hint}`);
    return undefined;
  }
  for (const key of ["healthcheck", "balance"].filter((key) => given[key] !== undefined)) {
    const text = "has no backends here: routes lead to pools\nmove it to the pool's section";
    report.error([...path, key], text);
  }
  return "none";
}

function warnOfRest(path: Path, whole: number, report: Report): void {
  report.warn(path, `serves nobody: route ${whole} takes every client\ngive that a match`);
}

function readAccess(
  raw: unknown,
  path: Path,
  around: Surroundings,
): { readonly spec: AccessSpec; readonly given?: Table } | undefined {
  if (raw === undefined) return { spec: { allowByDefault: true, rules: [] } };
  const read = readSection(raw, schema.access, path, around.pools.report);
  if (read === undefined) return undefined;
  const rules = (read.values.rules ?? []).map(parseAccessRule)
    .filter((rule): rule is AccessRule => typeof rule !== "string");
  return { spec: { allowByDefault: read.values.default !== "deny", rules }, given: read.given };
}
