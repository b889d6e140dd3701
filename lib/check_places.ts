import { systemClock } from "./clock.ts";
import { Semaphore, type Waiting } from "./semaphore.ts";

/**
 * Programs of checks that may be starting at the same time. To start one holds up the whole control plane until it runs;
 * where hundreds compete for the processor, that made the API wait for half a minute, and programs run into their limits.
 */
const STARTS = 4;
/** A program that has run for so long doesn't count as starting any more. */
const START_MS = 100;

/** How a check waits for its place. */
export type CheckWaiting = Waiting & { readonly startsProgram: boolean };

/** Bounds the checks that run at the same time. The others wait, pools in turn, before their time limits begin. */
export class CheckPlaces {
  readonly #all: Semaphore;
  readonly #starts = new Semaphore(STARTS);

  /** Has `places` places, at least 1. */
  constructor(places: number) {
    this.#all = new Semaphore(places);
  }

  /** Makes a check as soon as there is a place. @throws the signal's reason when it aborts before. */
  run<T>(check: () => Promise<T>, waiting: CheckWaiting): Promise<T> {
    const { startsProgram } = waiting;
    return this.#all.run(() => startsProgram ? this.#start(check, waiting) : check(), waiting);
  }

  async #start<T>(check: () => Promise<T>, waiting: CheckWaiting): Promise<T> {
    const over = new AbortController();
    let running: Promise<T> | undefined;
    await this.#starts.run(() => {
      running = check().finally(() => over.abort());
      running.catch(() => {}); // whoever asked gets it
      return systemClock.sleep(START_MS, over.signal);
    }, waiting);
    return await running!;
  }
}
