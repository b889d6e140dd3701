import type { Counters } from "./stats/counters.ts";

/**
 * Finds workers that hang. Time is counted in this watchdog's own ticks, so that a process which was
 * suspended doesn't judge itself when it goes on.
 */
export class Watchdog {
  readonly #last = new Map<number, { readonly beats: number; readonly stillTicks: number }>();

  /**
   * Knows no worker yet.
   *
   * @param limitMs A worker that doesn't tick for so long hangs; 0: nobody ever does.
   * @param tickMs How often {@link tick} is called.
   */
  constructor(readonly counters: Counters, readonly limitMs: number, readonly tickMs: number) {}

  /** Looks at the workers that should be running. Returns one that hangs. */
  tick(workers: readonly number[]): number | undefined {
    if (this.limitMs === 0) return undefined;
    for (const worker of workers) {
      const beats = this.counters.beats(worker);
      const last = this.#last.get(worker);
      const stillTicks = last?.beats === beats ? last.stillTicks + 1 : 0;
      this.#last.set(worker, { beats, stillTicks });
      if (stillTicks * this.tickMs >= this.limitMs) return worker;
    }
    return undefined;
  }
}
