import type { Changes } from "./config/diff.ts";
import { ConfigError, messageOf, printProblem, StartError } from "./errors.ts";
import type { Log } from "./log.ts";

/** Where the order to reload came from: SIGHUP, the API, or a source that is watched. */
export type ReloadOrder = "signal" | "api" | "source";

/** The last reload. */
export type LastReload = {
  /** When it ended, milliseconds since 1970. */
  readonly atMs: number;
  readonly order: ReloadOrder;
  /** What it has changed; absent where it failed. */
  readonly changes?: Changes;
  /** Everything that was wrong, one line each; absent where it was applied. */
  readonly errors?: readonly string[];
};

/** Reloads since the start of the process. */
export type ReloadCounts = {
  readonly applied: number;
  /** They have changed nothing. */
  readonly failed: number;
  /** Absent: there was none. */
  readonly last?: LastReload;
};

/** Counts reloads. */
export class Reloads {
  #counts: ReloadCounts = { applied: 0, failed: 0 };

  /** `wallTime` gives milliseconds since 1970. */
  constructor(readonly wallTime: () => number) {}

  /** How many there were, and how the last one went. */
  read(): ReloadCounts {
    return this.#counts;
  }

  /** Counts one by its outcome, which is passed on; a failure is logged, whoever else is told of it. */
  async count<T extends { readonly changes: Changes }>(
    order: ReloadOrder,
    reload: () => Promise<T>,
    log: Log,
  ): Promise<T> {
    try {
      const done = await reload();
      const { applied, failed } = this.#counts;
      const last = { atMs: this.wallTime(), order, changes: done.changes };
      this.#counts = { applied: applied + 1, failed, last };
      return done;
    } catch (error) {
      const { applied, failed } = this.#counts;
      const errors = reasonsOf(error);
      const last = { atMs: this.wallTime(), order, errors };
      this.#counts = { applied, failed: failed + 1, last };
      log.error("the new configuration isn't used, the old one stays in force", { order });
      for (const line of warningsOf(error)) log.warning(line);
      for (const line of errors) log.error(line);
      throw error;
    }
  }
}

/** What may have led to it, one line each. */
function warningsOf(error: unknown): string[] {
  return error instanceof ConfigError ? error.warnings.map(printProblem).map(oneLine) : [];
}

/** What is wrong, one line each. */
export function reasonsOf(error: unknown): string[] {
  const texts = error instanceof ConfigError
    ? error.problems.map(printProblem)
    : [error instanceof StartError ? `${error.message}\n${error.hint}` : messageOf(error)];
  return texts.map(oneLine);
}

function oneLine(text: string): string {
  return text.trimEnd().replace(/\s*\n\s*/g, "; ");
}
