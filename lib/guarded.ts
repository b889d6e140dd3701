import type { Kinds } from "./config/load.ts";
import type { Config } from "./model.ts";

/** What the discoveries of a configuration guard, each once: see {@link DiscoveryKind.guarded}. Pure. */
export function guardedOf({ pools }: Config, kinds: Kinds): string[] {
  const guarded = [...pools.values()].flatMap(({ discoveries }) =>
    discoveries.flatMap(({ kind, options }) => kinds.discoveries.get(kind).guarded?.(options) ?? [])
  );
  return [...new Set(guarded)];
}
