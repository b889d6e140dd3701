/**
 * The errors that a caller decides on. Each says what failed and what to do; the text is for people,
 * the fields are for code.
 */

/** One thing wrong in a configuration, and where. */
export type Problem = {
  /** The path of the key, as written: `["servers", "web", "balance"]`; empty for the whole text. */
  readonly path: readonly (string | number)[];
  /** What is wrong, the offending value in quotes. */
  readonly message: string;
  /** What to do about it, in one line; empty when the message says it all. */
  readonly hint: string;
  /** Where it stands, when the text is known: the file's name and a line and column from 1. */
  readonly file?: string | undefined;
  readonly line?: number | undefined;
  readonly column?: number | undefined;
};

/** A configuration that can't be used. Carries every problem found, never only the first. */
export class ConfigError extends Error {
  /** For logs. */
  override readonly name = "ConfigError";
  /** Carries at least one problem; `warnings` are what may have led to them, such as a variable that isn't set. */
  constructor(
    readonly problems: readonly Problem[],
    readonly warnings: readonly Problem[] = [],
  ) {
    super(problems.map(printProblem).join("\n"));
  }
}

/** `file:12: servers.web.balance: "x" is not a strategy`, and the hint on a line of its own. */
export function printProblem(problem: Problem): string {
  const place = problem.file === undefined
    ? ""
    : `${problem.file}:${problem.line === undefined ? "" : `${problem.line}:`} `;
  const key = problem.path.length === 0 ? "" : `${problem.path.join(".")}: `;
  const hint = problem.hint === "" ? "" : `\n       ${printable(problem.hint)}`;
  return printable(`${place}${key}${problem.message}`) + hint;
}

/** The same on one line, for a log. */
export function problemLine(problem: Problem): string {
  return printProblem(problem).replace(/\n\s+/, "; ");
}

/** The text with controls written out: what a file says can't play tricks on a terminal or a log. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}]/gu, (control) => {
    const code = control.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
  });
}

/**
 * What the start or a command can't get over (a port taken, a pid file of a running process).
 * `message` says what is wrong, `hint` what to do. Ends the program with exit code 1, or with 2
 * where `usage` is set.
 */
export class StartError extends Error {
  /** For logs. */
  override readonly name = "StartError";
  /** `usage`: the command line or the configuration is wrong, not the world. `cause`: what was thrown before. */
  constructor(
    message: string,
    readonly hint: string,
    readonly usage: boolean = false,
    cause?: unknown,
  ) {
    super(message, { cause });
  }
}

/** What nobody may order who isn't whoever runs this process. The API answers it with 403. */
export class ForbiddenError extends StartError {}

/** A change is in force but could not be kept for the next start. */
export class StateError extends Error {
  /** For logs. */
  override readonly name = "StateError";
}

/** A source of backends that gave no usable answer. The last good list stays in use. */
export class DiscoveryError extends Error {
  /** For logs. */
  override readonly name = "DiscoveryError";
}

/** A source that may be asked, and mustn't be listened to: it is asked at its interval instead. */
export class WatchRefusedError extends DiscoveryError {}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
