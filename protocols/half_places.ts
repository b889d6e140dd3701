import type { Counters } from "../lib/stats/counters.ts";
import { PROCESS_SLOT } from "../lib/stats/layout.ts";

/** Places among the process's sessions for those that have one descriptor instead of two: two share a place. */
export class HalfPlaces {
  #taken = 0;

  /** Has taken none yet. */
  constructor(readonly counters: Counters) {}

  /** Takes half a place; false: there is none. */
  take(): boolean {
    const { counters } = this;
    if (this.#taken % 2 === 0 && !counters.take(PROCESS_SLOT, counters.capacity)) return false;
    this.#taken++;
    return true;
  }

  /** Gives half a place back that was taken. */
  give(): void {
    if (--this.#taken % 2 === 0) this.counters.release(PROCESS_SLOT);
  }
}
