/** What an operator's orders make of the overlay. Pure: putting it into force and keeping it is the configuration's. */
import type { BackendChange } from "./control.ts";
import { StartError } from "./errors.ts";
import { type FieldPath, fieldsOf, forget, printPath } from "./forget.ts";
import type { Config } from "./model.ts";
import {
  type BackendOverlay,
  type Overlay,
  type Sections,
  withBackend,
  withoutServer,
  withServer,
  type WrittenSection,
} from "./overlay.ts";

/** What is in force when an order is given. */
export type Situation = {
  readonly overlay: Overlay;
  /** The base's own servers. */
  readonly inBase: Sections;
  readonly config: Config;
};

/** Adds a server. @throws StartError where there is one of this name. */
export function addServer(
  { overlay, inBase, config }: Situation,
  name: string,
  section: unknown,
): Overlay {
  if (config.servers.has(name)) {
    throw new StartError(`there is a server "${name}" already`, `DELETE /servers/${name} first`);
  }
  return withServer(overlay, name, (section ?? {}) as WrittenSection, inBase);
}

/** Removes a server. Undefined: there is none. */
export function removeServer(
  { overlay, inBase, config }: Situation,
  name: string,
): Overlay | undefined {
  if (!config.servers.has(name)) return undefined;
  return withoutServer(overlay, name, inBase, !hasPool(config, name));
}

/**
 * Changes a backend.
 * @param discovered The weight that it has by its discovery.
 * @param now Milliseconds since 1970.
 */
export function changeBackend(
  overlay: Overlay,
  [pool, backend]: readonly [string, string],
  change: BackendChange,
  { discovered, now }: { readonly discovered: number; readonly now: number },
): Overlay {
  const before = overlay.backends[pool]?.[backend] ?? {};
  const weighed = weigh(before, change.weight, discovered);
  return withBackend(overlay, pool, backend, drain(weighed, change.drain, now));
}

/** Gives back what is at and below a path, and says which fields these are. Undefined: there is nothing. */
export function giveBack(
  { overlay, inBase, config }: Situation,
  path: FieldPath,
): { readonly overlay: Overlay; readonly forgotten: readonly string[] } | undefined {
  if (fieldsOf(overlay, path).length === 0) return undefined;
  const left = forget(
    overlay,
    path,
    (name) => Object.hasOwn(inBase, name) || hasPool(config, name),
  );
  const kept = new Set(fieldsOf(left).map(printPath));
  const forgotten = fieldsOf(overlay).map(printPath).filter((field) => !kept.has(field));
  return { overlay: left, forgotten };
}

/** Is there a `[pools.NAME]`, which lives on without a server? */
function hasPool({ document }: Config, name: string): boolean {
  return Object.hasOwn(document.pools ?? {}, name);
}

function weigh(
  before: BackendOverlay,
  weight: number | null | undefined,
  discovered: number,
): BackendOverlay {
  if (weight === undefined) return before;
  const { weight: _weight, weightBefore: _before, ...rest } = before;
  return weight === null ? rest : { ...rest, weight, weightBefore: discovered };
}

function drain(
  before: BackendOverlay,
  wanted: boolean | number | undefined,
  now: number,
): BackendOverlay {
  if (wanted === undefined) return before;
  const { draining: _draining, drainUntilMs: _until, ...enabled } = before;
  if (wanted === false) return enabled;
  return wanted === true
    ? { ...enabled, draining: true }
    : { ...enabled, draining: true, drainUntilMs: now + wanted };
}
