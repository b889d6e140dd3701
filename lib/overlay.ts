/**
 * What was changed through the API, apart from what people wrote: the effective configuration is the base (file)
 * with this laid over it, field by field. Pure; the state file keeps it over restarts.
 */
import { MAX_NUMBER } from "./model.ts";

/** What was changed about one backend. */
export type BackendOverlay = {
  /** In place of the discovered weight. */
  readonly weight?: number;
  /** The discovered weight when that was changed; absent where nobody remembers. */
  readonly weightBefore?: number;
  /** An operator wants no new sessions on it. */
  readonly draining?: boolean;
  /** When its last sessions are cut, milliseconds since 1970; absent: never. */
  readonly drainUntilMs?: number;
};

/** A section of the configuration, as it was written. */
export type WrittenSection = Readonly<Record<string, unknown>>;

/** Servers by name; null: there is none. */
export type Sections = Readonly<Record<string, WrittenSection | null>>;

/** All changes. */
export type Overlay = {
  /** By name: a server that was added, as its section; null: one of the base that was removed. */
  readonly servers: Sections;
  /** By pool and `host:port`. */
  readonly backends: Readonly<Record<string, Readonly<Record<string, BackendOverlay>>>>;
  /** What the base had under the names of `servers` when they were changed; a name is absent where nobody remembers. */
  readonly before?: Sections;
};

/** What the base says of everything that the API may change. */
export type BaseFacts = {
  /** Its own servers. */
  readonly servers: Sections;
  /** The weight that a backend has by its discovery; undefined while it has none. */
  weight(pool: string, backend: string): number | undefined;
};

/** Nothing changed. */
export const NO_OVERLAY: Overlay = { servers: {}, backends: {} };

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

/** Adds a server, or brings one of the base back in another form. `base` has the base's own servers. */
export function withServer(
  overlay: Overlay,
  name: string,
  section: WrittenSection,
  base: Sections = {},
): Overlay {
  const then = Object.hasOwn(base, name) ? base[name]! : null;
  return setServer(overlay, name, section, then);
}

/** Removes a server: forgets one that only the API has added, hides one that the base has. A pool of its own goes with it. */
export function withoutServer(
  overlay: Overlay,
  name: string,
  base: Sections,
  ownPool = true,
): Overlay {
  const { [name]: _own, ...rest } = overlay.backends;
  const left = ownPool ? { ...overlay, backends: rest } : overlay;
  return Object.hasOwn(base, name)
    ? setServer(left, name, null, base[name]!)
    : dropServer(left, name);
}

/** No longer changes a server. */
export function dropServer(overlay: Overlay, name: string): Overlay {
  const { [name]: _gone, ...servers } = overlay.servers;
  const { [name]: _then, ...before } = overlay.before ?? {};
  return { servers, backends: overlay.backends, ...keptBefore(before) };
}

/** Adds what the base says now where nobody remembers what it said when a server or a weight was changed. */
export function remembering(overlay: Overlay, base: BaseFacts): Overlay {
  const before = Object.keys(overlay.servers).map((name) => {
    const from = Object.hasOwn(overlay.before ?? {}, name) ? overlay.before! : base.servers;
    return [name, Object.hasOwn(from, name) ? from[name]! : null] as const;
  });
  const backends = mapBackends(overlay.backends, (change, pool, backend) => {
    if (change.weight === undefined || change.weightBefore !== undefined) return change;
    const now = base.weight(pool, backend);
    return now === undefined ? change : { ...change, weightBefore: now };
  });
  return { servers: overlay.servers, backends, ...keptBefore(Object.fromEntries(before)) };
}

/** The same without what is only remembered: what people want to see. */
export function changesOf(overlay: Overlay): Pick<Overlay, "servers" | "backends"> {
  const { servers, backends } = overlay;
  return { servers, backends: mapBackends(backends, ({ weightBefore: _, ...change }) => change) };
}

/** The servers of a base, as they were written. */
export function sectionsOf(base: unknown): Sections {
  const servers = isTree(base) ? base[serversKey(base)] : undefined;
  if (!isTree(servers)) return {};
  const written = Object.entries(servers).filter(([, section]) => isTree(section));
  return JSON.parse(JSON.stringify(Object.fromEntries(written))); // as a state file has them
}

function serversKey(base: WrittenSection): string {
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
  if (!isSections(overlay["servers"]) || !isSections(overlay["before"] ?? {})) return BROKEN;
  const pools = Object.values(overlay["backends"]);
  const sound = pools.every((pool) => isTree(pool) && Object.values(pool).every(isBackendOverlay));
  return sound ? (overlay as Overlay) : BROKEN;
}

const BROKEN = "an entry is not what was written there";

function isBackendOverlay(value: unknown): value is BackendOverlay {
  if (!isTree(value)) return false;
  const { weight = 0, weightBefore = 0, draining = false, drainUntilMs = 0, ...others } = value;
  return isWeight(weight) && isWeight(weightBefore) && typeof draining === "boolean" &&
    typeof drainUntilMs === "number" && Object.keys(others).length === 0;
}

function isWeight(value: unknown): boolean {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= MAX_NUMBER;
}

function isSections(value: unknown): value is Sections {
  return isTree(value) &&
    Object.values(value).every((section) => section === null || isTree(section));
}

/** Is this an object with fields? */
export function isTree(value: unknown): value is WrittenSection {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function setServer(
  overlay: Overlay,
  name: string,
  section: WrittenSection | null,
  then: WrittenSection | null,
): Overlay {
  return {
    servers: { ...overlay.servers, [name]: section },
    backends: overlay.backends,
    before: { ...overlay.before, [name]: then },
  };
}

/** Nothing where nothing is remembered: an overlay of no changes is {@link NO_OVERLAY} again. */
function keptBefore(before: Sections): Pick<Overlay, "before"> {
  return Object.keys(before).length === 0 ? {} : { before };
}

function mapBackends(
  backends: Overlay["backends"],
  map: (change: BackendOverlay, pool: string, backend: string) => BackendOverlay,
): Overlay["backends"] {
  return Object.fromEntries(
    Object.entries(backends).map(([pool, changes]) => [
      pool,
      Object.fromEntries(
        Object.entries(changes).map(([key, change]) => [key, map(change, pool, key)]),
      ),
    ]),
  );
}
