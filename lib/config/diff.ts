import type { Config, PoolSpec, ServerSpec } from "../model.ts";

/** What is different between two maps of specs, by name. */
export type Diff<T> = {
  readonly added: readonly T[];
  readonly changed: readonly T[];
  readonly removed: readonly T[];
};

/** What a reload has to do. */
export type ConfigDiff = {
  readonly servers: Diff<ServerSpec>;
  readonly pools: Diff<PoolSpec>;
};

/** Compares two configurations; what is equal is in neither list and isn't touched. Pure. */
export function diffConfigs(before: Config, after: Config): ConfigDiff {
  return {
    servers: diffMaps(before.servers, after.servers),
    pools: diffMaps(before.pools, after.pools),
  };
}

function diffMaps<T>(before: ReadonlyMap<string, T>, after: ReadonlyMap<string, T>): Diff<T> {
  const entries = [...after];
  return {
    added: entries.filter(([name]) => !before.has(name)).map(([, spec]) => spec),
    changed: entries.filter(([name, spec]) => {
      const old = before.get(name);
      return old !== undefined && JSON.stringify(old) !== JSON.stringify(spec);
    }).map(([, spec]) => spec),
    removed: [...before].filter(([name]) => !after.has(name)).map(([, spec]) => spec),
  };
}

/** `2 servers added, 1 pool changed`, or `nothing changed`. */
export function summarize({ servers, pools }: ConfigDiff): string {
  const parts = [...count("server", servers), ...count("pool", pools)];
  return parts.length === 0 ? "nothing changed" : parts.join(", ");
}

function count(noun: string, diff: Diff<unknown>): string[] {
  return (["added", "changed", "removed"] as const)
    .filter((what) => diff[what].length > 0)
    .map((what) => `${diff[what].length} ${noun}${diff[what].length === 1 ? "" : "s"} ${what}`);
}
