import { systemClock } from "./clock.ts";
import { Semaphore } from "./semaphore.ts";

/**
 * Programs of checks that may be starting at the same time. To start one holds up the whole control plane until it runs;
 * where hundreds compete for the processor, that made the API wait for half a minute, and programs run into their limits.
 */
const STARTS = 4;
/** A program that has run for so long doesn't count as starting any more. */
const START_MS = 100;

/** Bounds the checks that run at the same time. The others wait in order, before their time limits begin. */
export class CheckPlaces {
  readonly #all: Semaphore;
  readonly #starts = new Semaphore(STARTS);

  /** Has `places` places, at least 1. */
  constructor(places: number) {
    this.#all = new Semaphore(places);
  }

  /** Makes a check as soon as there is a place. `program`: it starts one. */
  run<T>(check: () => Promise<T>, program: boolean): Promise<T> {
    return this.#all.run(() => program ? this.#start(check) : check());
  }

  async #start<T>(check: () => Promise<T>): Promise<T> {
    const over = new AbortController();
    let running: Promise<T> | undefined;
    await this.#starts.run(() => {
      running = check().finally(() => over.abort());
      running.catch(() => {}); // whoever asked gets it
      return systemClock.sleep(START_MS, over.signal);
    });
    return await running!;
  }
}
