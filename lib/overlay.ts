/**
 * What was changed through the API, apart from what people wrote: the effective configuration is the base (file)
 * with this laid over it, field by field. Pure; the state file keeps it over restarts.
 */

/** What was changed about one backend. */
export type BackendOverlay = {
  /** In place of the discovered weight. */
  readonly weight?: number;
  /** An operator wants no new sessions on it. */
  readonly draining?: boolean;
  /** When its last sessions are cut, milliseconds since 1970; absent: never. */
  readonly drainUntilMs?: number;
};

/** All changes. */
export type Overlay = {
  /** By name: a server that was added, as its section; null: one of the base that was removed. */
  readonly servers: Readonly<Record<string, Readonly<Record<string, unknown>> | null>>;
  /** By pool and `host:port`. */
  readonly backends: Readonly<Record<string, Readonly<Record<string, BackendOverlay>>>>;
};

/** Nothing changed. */
export const NO_OVERLAY: Overlay = { servers: {}, backends: {} };

type Tree = Readonly<Record<string, unknown>>;

/** The base with the overlay's servers in it. What isn't a tree of sections is left for the loader to refuse. */
export function amend(base: unknown, overlay: Overlay): unknown {
  if (!isTree(base) || Object.keys(overlay.servers).length === 0) return base;
  const key = serversKey(base);
  const written = base[key] ?? {};
  if (!isTree(written)) return base;
  const servers = { ...written };
  for (const [name, section] of Object.entries(overlay.servers)) {
    if (section === null) delete servers[name];
    else servers[name] = section;
  }
  return { ...base, [key]: servers };
}

/** Adds a server, or brings one of the base back in another form. */
export function withServer(
  overlay: Overlay,
  name: string,
  section: Readonly<Record<string, unknown>>,
): Overlay {
  return { ...overlay, servers: { ...overlay.servers, [name]: section } };
}

/** Removes a server: forgets one that only the API has added, hides one that the base has. A pool of its own goes with it. */
export function withoutServer(
  overlay: Overlay,
  name: string,
  base: readonly string[],
  ownPool = true,
): Overlay {
  const { [name]: _gone, ...others } = overlay.servers;
  const { [name]: _own, ...rest } = overlay.backends;
  const backends = ownPool ? rest : overlay.backends;
  return { servers: base.includes(name) ? { ...others, [name]: null } : others, backends };
}

/** The names of a base's servers. */
export function serverNames(base: unknown): string[] {
  const servers = isTree(base) ? base[serversKey(base)] : undefined;
  return isTree(servers) ? Object.keys(servers) : [];
}

function serversKey(base: Tree): string {
  return Object.keys(base).find((key) => key.toLowerCase() === "servers") ?? "servers";
}

/** Changes a backend. An empty change gives everything back to the base. */
export function withBackend(
  overlay: Overlay,
  pool: string,
  key: string,
  change: BackendOverlay,
): Overlay {
  const { [key]: _gone, ...others } = overlay.backends[pool] ?? {};
  const backends = Object.keys(change).length === 0 ? others : { ...others, [key]: change };
  const { [pool]: _pool, ...pools } = overlay.backends;
  return {
    ...overlay,
    backends: Object.keys(backends).length === 0 ? pools : { ...pools, [pool]: backends },
  };
}

/** An overlay as it was written to a state file; a string says why it can't be used. */
export function checkOverlay(overlay: unknown): Overlay | string {
  if (!isTree(overlay) || !isTree(overlay["servers"]) || !isTree(overlay["backends"])) {
    return "it has no overlay";
  }
  const servers = Object.entries(overlay["servers"]);
  if (!servers.every(([, section]) => section === null || isTree(section))) return BROKEN;
  const pools = Object.values(overlay["backends"]);
  const sound = pools.every((pool) => isTree(pool) && Object.values(pool).every(isBackendOverlay));
  return sound ? (overlay as Overlay) : BROKEN;
}

const BROKEN = "an entry is not what was written there";

/** Weights are 32-bit cells of workers' tables. */
const MAX_WEIGHT = 2 ** 31 - 1;

function isBackendOverlay(value: unknown): value is BackendOverlay {
  if (!isTree(value)) return false;
  const { weight = 0, draining = false, drainUntilMs = 0, ...others } = value;
  return typeof weight === "number" && Number.isInteger(weight) && weight >= 0 &&
    weight <= MAX_WEIGHT &&
    typeof draining === "boolean" && typeof drainUntilMs === "number" &&
    Object.keys(others).length === 0;
}

function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
