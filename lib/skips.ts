import { printable } from "./errors.ts";

/** Entries of one list that couldn't be used. */
export type Skipped = {
  readonly count: number;
  /** The first few, each with its reason. */
  readonly examples: readonly string[];
};

const EXAMPLES = 5;
const MAX_LENGTH = 300;

/**
 * What couldn't be used of a list that is read again and again: summed up, and told of only when it is different from
 * the last time, so that ten thousand bad rows are one line in the log.
 */
export class Skips {
  #count = 0;
  #examples: string[] = [];
  #told = "";

  /** Counts an entry of the list that is being read. */
  add(entry: string, why: string): void {
    if (this.#count++ < EXAMPLES) this.#examples.push(printable(shorten(`${entry}: ${why}`)));
  }

  /** Counts many at once, of which one is the example. */
  addAll(count: number, entry: string, why: string): void {
    if (count === 0) return;
    this.add(entry, why);
    this.#count += count - 1;
  }

  /** Ends the list. What to tell of it: nothing where nobody was skipped, or the same as the last time. */
  report(): Skipped | undefined {
    const skipped = { count: this.#count, examples: this.#examples };
    this.#count = 0;
    this.#examples = [];
    const text = JSON.stringify(skipped);
    const known = text === this.#told;
    this.#told = text;
    return known || skipped.count === 0 ? undefined : skipped;
  }

  /** Begins a list anew: what was counted of one that came to no end is forgotten. */
  restart(): void {
    this.#count = 0;
    this.#examples = [];
  }
}

function shorten(text: string): string {
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH - 1)}…` : text;
}
