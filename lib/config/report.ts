import type { Problem } from "../errors.ts";

/** The path of a key, canonical spelling. */
export type Path = readonly (string | number)[];

/** Collects what is wrong with one configuration. */
export class Report {
  /** What keeps the configuration from being used. */
  readonly errors: Problem[] = [];
  /** What is odd, but can be used. */
  readonly warnings: Problem[] = [];

  /** An empty report. `lenient` makes unknown keys warnings. */
  constructor(readonly lenient: boolean) {}

  /** `text` is the message and, after a line break, the hint. */
  error(path: Path, text: string): void {
    this.errors.push(problemOf(path, text));
  }

  /** As {@link error}, for what the configuration can be used with. */
  warn(path: Path, text: string): void {
    this.warnings.push(problemOf(path, text));
  }

  /** An error, but a warning where the reader is lenient. */
  unknown(path: Path, text: string): void {
    (this.lenient ? this.warnings : this.errors).push(problemOf(path, text));
  }
}

function problemOf(path: Path, text: string): Problem {
  const end = text.indexOf("\n");
  return end < 0
    ? { path, message: text, hint: "" }
    : { path, message: text.slice(0, end), hint: text.slice(end + 1).replaceAll("\n", " ") };
}
