import type { ConfigText } from "../config/parse.ts";
import type { Variable } from "../config/variables.ts";
import type { ConfigSource } from "../control.ts";
import type { Problem } from "../errors.ts";
import type { Log } from "../log.ts";

/** The text of a configuration with all that belongs to it, as the loader takes it. */
export type BaseText = ConfigText & {
  /** The texts that its `include` names; undefined where nothing can be included. */
  readonly included?: readonly ConfigText[];
  /** What is odd about how it was come by: a variable that isn't set, a pattern that matches nothing. */
  readonly warnings?: readonly Problem[];
  /** The variables that were put into it. */
  readonly variables?: readonly Variable[];
};

/** Whom a source that is watched tells. */
export type SourceEvents = {
  /** The text is another one now. */
  changed(base: BaseText): void;
  /** It can't be had now, and why; told once, until it can be had again or fails for another reason. */
  failed(why: string): void;
  /** It can be had again. */
  recovered(): void;
};

/** Where a configuration comes from. */
export type Source = {
  /** As `GET /` shows it. */
  readonly about: ConfigSource;
  /**
   * Reads it: at start, and again at each reload. `signal` ends the waiting of a source that waits.
   * @throws StartError when it can't be had, ConfigError when what belongs to it can't.
   */
  read(signal?: AbortSignal): Promise<BaseText>;
  /**
   * Tells of each text that differs from what was read or told last, until `signal` aborts; then it resolves. It never
   * rejects. Absent: it changes only when somebody asks for a reload.
   */
  watch?(events: SourceEvents, signal: AbortSignal): Promise<void>;
  /** A text that it gave is in force now. It never throws: what goes wrong goes to the log. */
  inForce?(base: BaseText, log: Log): void;
};

/** A text that is known from the start. */
export function fixedSource(base: BaseText): Source {
  return { about: { kind: "arguments" }, read: () => Promise.resolve(base) };
}

/** Does the same stand in two texts? Where they came from doesn't matter. */
export function isSame(a: BaseText | undefined, b: BaseText): boolean {
  if (a?.text !== b.text || a.format !== b.format) return false;
  const { included: some = [] } = a;
  const { included: others = [] } = b;
  return some.length === others.length &&
    some.every(({ file, text }, i) => file === others[i]!.file && text === others[i]!.text);
}
