/** For sources that say that something has happened, where it doesn't matter what: the list is asked for anew. */
import { systemClock } from "../lib/clock.ts";
import { messageOf } from "../lib/errors.ts";
import { onAbort } from "../lib/own.ts";

/** A stream of events: whether there was one, not which. */
export class Events {
  /** Settles when the stream is closed; never rejects. */
  readonly ended: Promise<void>;
  /** Why it has ended, when it has. */
  over: string | undefined;
  #heard = new AbortController();

  /** Reads the lines to their end; whoever opened them closes them. */
  constructor(lines: AsyncIterable<string>) {
    this.ended = this.#read(lines);
  }

  async #read(lines: AsyncIterable<string>): Promise<void> {
    try {
      for await (const line of lines) if (line !== "") this.#heard.abort();
      this.over = "has ended";
    } catch (error) {
      this.over = `broke off: ${messageOf(error)}`;
    }
    this.#heard.abort();
  }

  /** What was heard before doesn't count any more. */
  forget(): void {
    if (this.over === undefined) this.#heard = new AbortController();
  }

  /** Resolves with the next event, the stream's end or the signal; or when there was none for so long. */
  async next(mostMs: number, signal: AbortSignal): Promise<void> {
    const heard = this.#heard.signal;
    const end = new AbortController();
    using _signal = onAbort(signal, () => end.abort());
    using _heard = onAbort(heard, () => end.abort());
    await systemClock.sleep(mostMs, end.signal);
  }
}

/** Does something within a time limit. @throws DiscoveryError when it takes longer. */
export async function within<T>(
  ms: number,
  outer: AbortSignal,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), ms);
  using _outer = onAbort(outer, () => limit.abort());
  try {
    return await task(limit.signal);
  } finally {
    clearTimeout(timer);
  }
}
