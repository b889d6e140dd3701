import type { WorkerLike } from "./workers.ts";

/** One worker's place in the data plane; workers in it may change. */
export class WorkerPlace {
  /** Who is in it now. */
  worker: WorkerLike | undefined;
  /** It takes messages. */
  ready = false;
  /** How many have died in it, in a series. */
  deaths = 0;
  /** When the one who is in it was made. */
  bornAt = 0;
  readonly #pending = new Map<string, ((why: string | undefined) => void)[]>();

  /** Empty; `index` is its row of the counters. */
  constructor(readonly index: number) {}

  /** The next answer on a subject; undefined is success. */
  answer(subject: string): Promise<string | undefined> {
    return new Promise((resolve) => {
      const pending = this.#pending.get(subject);
      if (pending === undefined) this.#pending.set(subject, [resolve]);
      else pending.push(resolve);
    });
  }

  /** Hands an answer to whoever waits for it longest. False: nobody does. */
  settle(subject: string, why: string | undefined): boolean {
    const resolve = this.#pending.get(subject)?.shift();
    resolve?.(why);
    return resolve !== undefined;
  }

  /** Answers everything that is pending. */
  forgetAll(why: string): void {
    for (const pending of this.#pending.values()) {
      for (const resolve of pending) resolve(why);
    }
    this.#pending.clear();
  }
}
