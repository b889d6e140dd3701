/** One thing that gobetween's configuration, or ours to come, can say and that isn't built. */
export type Unavailable = {
  /** The key: the path of its section as schemas name it, and the key's name. */
  readonly at: string;
  /** The value that is refused; any when left out. */
  readonly value?: string | boolean;
  /** Keys of the same section that mean nothing without it, so that they aren't reported as well. */
  readonly covers?: readonly string[];
  /** What to do; "remove it" when left out. */
  readonly hint?: string;
};

const REMOVE_SERVER = "remove this server to run without it";

/**
 * Everything that is refused by name because it isn't built yet: a balancer that ignored it would do something else
 * than was asked. Building one of these deletes its line. Kinds aren't listed here: their registries know
 * which are planned.
 */
export const unavailable: readonly Unavailable[] = [
  { at: "metrics.enabled", value: true, hint: "set enabled = false" },
  { at: "profiler.enabled", value: true, hint: "set enabled = false" },
  { at: "servers.*.protocol", value: "lines", hint: REMOVE_SERVER },
];
