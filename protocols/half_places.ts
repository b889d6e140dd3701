import type { Counters } from "../lib/stats/counters.ts";
import { DATAGRAM_SESSIONS, PROCESS_SLOT } from "../lib/stats/layout.ts";

/**
 * Places among the process's sessions for those that have one descriptor instead of two: two share a place.
 * All of them together may have half of the places, so that a flood of datagrams leaves the rest to connections.
 */
export class HalfPlaces {
  #taken = 0;

  /** Has taken none yet. */
  constructor(readonly counters: Counters) {}

  /** Takes half a place; false: there is none. */
  take(): boolean {
    const { counters } = this;
    const { capacity } = counters;
    if (capacity > 0 && counters.sum(PROCESS_SLOT, DATAGRAM_SESSIONS) >= capacity) return false;
    if (this.#taken % 2 === 0 && !counters.take(PROCESS_SLOT, capacity)) return false;
    this.#taken++;
    counters.add(PROCESS_SLOT, DATAGRAM_SESSIONS);
    return true;
  }

  /** Gives half a place back that was taken. */
  give(): void {
    this.counters.add(PROCESS_SLOT, DATAGRAM_SESSIONS, -1);
    if (--this.#taken % 2 === 0) this.counters.release(PROCESS_SLOT);
  }
}
