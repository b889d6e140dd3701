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

/** What a configuration has changed when it was put into force. */
export type Changes = {
  /** `2 servers added, 1 pool changed`, or `nothing changed`. */
  readonly text: string;
  /** Names; a server with backends of its own has a pool of its name. */
  readonly servers: Diff<string>;
  readonly pools: Diff<string>;
};

const HOW = ["added", "changed", "removed"] as const;

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

/** The names of all that is different, and how much it is. */
export function summarize({ servers, pools }: ConfigDiff): Changes {
  const parts = [...count("server", servers), ...count("pool", pools)];
  return {
    text: parts.length === 0 ? "nothing changed" : parts.join(", "),
    servers: names(servers),
    pools: names(pools),
  };
}

/** `servers_added` and so on, for the log: the lists that aren't empty, with at most `most` names and how many are left out. */
export function changedNames(changes: Changes, most = 20): Readonly<Record<string, string[]>> {
  const lists = (["servers", "pools"] as const).flatMap((what) =>
    HOW.map((how) => [`${what}_${how}`, changes[what][how]] as const)
  );
  return Object.fromEntries(
    lists.filter(([, list]) => list.length > 0).map(([key, list]) => [key, bounded(list, most)]),
  );
}

/** The first of a list, and how many more there are. */
function bounded(list: readonly string[], most: number): string[] {
  const more = list.length - most;
  return more <= 0 ? [...list] : [...list.slice(0, most), `and ${more} more`];
}

function names(diff: Diff<{ readonly name: string }>): Diff<string> {
  const of = (specs: readonly { readonly name: string }[]) => specs.map(({ name }) => name);
  return { added: of(diff.added), changed: of(diff.changed), removed: of(diff.removed) };
}

function count(noun: string, diff: Diff<unknown>): string[] {
  return HOW
    .filter((how) => diff[how].length > 0)
    .map((how) => `${diff[how].length} ${noun}${diff[how].length === 1 ? "" : "s"} ${how}`);
}
