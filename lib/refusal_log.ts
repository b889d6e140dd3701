import type { Log } from "./log.ts";
import type { Counters } from "./stats/counters.ts";
import { REFUSED } from "./stats/layout.ts";
import { dropsOf } from "./stats/drops.ts";
import { refusalsOf } from "./stats/refusals.ts";

/** Tells of the clients of one server that are refused, and of datagrams that are dropped: one line an interval. */
export class RefusalLog {
  #refused = 0;
  #dropped = 0;

  /** Has told of none yet. */
  constructor(
    readonly server: string,
    readonly slot: number,
    readonly counters: Counters,
    readonly log: Log,
  ) {}

  /** Ends an interval. */
  report(): void {
    const { counters, log, server, slot } = this;
    const refused = counters.sum(slot, REFUSED);
    const since = refused - this.#refused;
    this.#refused = refused;
    if (since > 0) {
      const fields = { server, since_last: since, ...refusalsOf(counters, slot) };
      log.warning("clients were refused", fields);
    }
    const drops = dropsOf(counters, slot);
    const dropped = drops.oversize + drops.unsent + drops.evicted;
    if (dropped > this.#dropped) log.warning("datagrams were dropped", { server, ...drops });
    this.#dropped = dropped;
  }
}
