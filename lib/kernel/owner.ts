/** Whose a table is. A counter whose name says it is in every table of ours. Pure. */

/** A process, so named that nobody else ever is: numbers of processes are used again. */
export type Owner = {
  /** The namespace that the number is of. */
  readonly namespace: string;
  readonly pid: number;
  /** When it started, in ticks since the system did. */
  readonly startedAt: number;
};

/** What is known of a table's owner: `elsewhere` is in a container, perhaps, where nobody here can look, or unnamed. */
export type Standing = "own" | "runs" | "dead" | "elsewhere";

/** The name of the counter. */
export function markOf({ namespace, pid, startedAt }: Owner): string {
  return `owner_${namespace}_${pid}_${startedAt}`;
}

/** Reads such a name; undefined for any other counter's. */
export function parseMark(name: string): Owner | undefined {
  const found = /^owner_(\d+)_(\d+)_(\d+)$/.exec(name);
  if (found === null) return undefined;
  const [, namespace = "", pid, startedAt] = found;
  return { namespace, pid: Number(pid), startedAt: Number(startedAt) };
}

/**
 * How an owner stands to `own`.
 * @param starts When the processes started that run, by number; undefined where nobody could tell: then all do.
 */
export function standingOf(
  owner: Owner | undefined,
  own: Owner,
  starts: ReadonlyMap<number, number> | undefined,
): Standing {
  if (owner?.namespace !== own.namespace) return "elsewhere";
  if (owner.pid === own.pid && owner.startedAt === own.startedAt) return "own";
  if (starts === undefined) return "runs";
  return starts.get(owner.pid) === owner.startedAt ? "runs" : "dead";
}
