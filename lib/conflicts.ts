/** Where the base has changed what was changed through the API as well. Pure. */
import { type FieldPath, printPath } from "./forget.ts";
import { isSecretKey, MASK, maskSecrets } from "./mask.ts";
import { backendKey } from "./model.ts";
import type { PoolStatus } from "./status.ts";
import { type BaseFacts, isTree, type Overlay, type Sections } from "./overlay.ts";

/** One thing that both have changed. The overlay's is in force. Where something is null, it isn't there. */
export type Conflict = {
  /** What it is about: `servers/web/bind`, `pools/web/backends/10.0.0.1:80/weight`. */
  readonly at: string;
  /** The field of the overlay to forget for the base to have its way: `servers/web`. */
  readonly field: string;
  readonly overlay: unknown;
  readonly base: unknown;
  /** What the base said when the overlay's change was made. */
  readonly before: unknown;
};

/** The base's facts, by its own servers and by what runs now. */
export function factsOf(
  servers: Sections,
  poolNamed: (name: string) => PoolStatus | undefined,
): BaseFacts {
  const known = new Map<string, ReadonlyMap<string, number>>();
  const weights = (pool: string) => {
    const found = poolNamed(pool)?.backends.filter(({ discovered }) => discovered) ?? [];
    return new Map(found.map((each) => [backendKey(each.backend), each.discoveredWeight]));
  };
  return {
    servers,
    weight(pool, backend) {
      if (!known.has(pool)) known.set(pool, weights(pool));
      return known.get(pool)!.get(backend);
    },
  };
}

/**
 * All conflicts: where the base says something else than when the overlay's change was made, and something else than the
 * overlay. Where nobody remembers what it said then, there is none. Key names match in any case.
 */
export function findConflicts(overlay: Overlay, base: BaseFacts): Conflict[] {
  return [...serverConflicts(overlay, base.servers), ...weightConflicts(overlay, base)];
}

/** The same with its secrets masked, for whoever reads it. */
export function maskConflict(conflict: Conflict): Conflict {
  const secret = conflict.at.split("/").slice(2).some(isSecretKey);
  const mask = (value: unknown) =>
    secret && value !== null && value !== "" ? MASK : maskSecrets(value);
  const { at, field, overlay, base, before } = conflict;
  return { at, field, overlay: mask(overlay), base: mask(base), before: mask(before) };
}

function* serverConflicts(overlay: Overlay, base: Sections): Generator<Conflict> {
  for (const [name, section] of Object.entries(overlay.servers)) {
    const then = own(overlay.before ?? {}, name);
    if (then === undefined) continue;
    const path = ["servers", name];
    yield* compare(path, section, own(base, name) ?? null, then, printPath(path));
  }
}

/** Goes down to the single keys where both have a section. */
function* compare(
  path: FieldPath,
  overlay: unknown,
  base: unknown,
  before: unknown,
  field: string,
): Generator<Conflict> {
  if (same(base, before) || same(base, overlay)) return;
  if (!isTree(overlay) || !isTree(base)) {
    yield { at: printPath(path), field, overlay, base, before };
    return;
  }
  const [ours, theirs, then] = [overlay, base, isTree(before) ? before : {}].map(lowered);
  for (const key of new Set([...ours!.keys(), ...theirs!.keys()])) {
    const values = [ours, theirs, then].map((tree) => tree!.get(key) ?? null);
    yield* compare([...path, key], values[0], values[1], values[2], field);
  }
}

function* weightConflicts({ backends }: Overlay, base: BaseFacts): Generator<Conflict> {
  for (const [pool, changes] of Object.entries(backends)) {
    for (const [backend, { weight, weightBefore }] of Object.entries(changes)) {
      if (weight === undefined || weightBefore === undefined) continue;
      const now = base.weight(pool, backend);
      if (now === undefined || now === weightBefore || now === weight) continue;
      const at = printPath(["pools", pool, "backends", backend, "weight"]);
      yield { at, field: at, overlay: weight, base: now, before: weightBefore };
    }
  }
}

function own<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

function same(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b);
}

/** A text that is equal for what means the same. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (!isTree(value)) return JSON.stringify(value ?? null);
  const fields = [...lowered(value)].filter(([, inner]) => inner !== null && inner !== undefined)
    .sort(([a], [b]) => a < b ? -1 : 1);
  return `{${fields.map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`).join()}}`;
}

function lowered(tree: Readonly<Record<string, unknown>>): Map<string, unknown> {
  return new Map(Object.entries(tree).map(([key, inner]) => [key.toLowerCase(), inner]));
}
