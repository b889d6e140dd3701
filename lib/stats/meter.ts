import type { Traffic } from "../status.ts";
import type { Counters } from "./counters.ts";
import { REFUSED, RX, TOTAL, TX } from "./layout.ts";
import { rate, type Sample } from "./rates.ts";

/** Reads one slot's counters; its rates are those between the last two samples. */
export class Meter {
  #rx: Sample;
  #tx: Sample;
  #rxRate = 0;
  #txRate = 0;

  /** The first interval starts at `nowMs`. */
  constructor(readonly counters: Counters, readonly slot: number, nowMs: number) {
    this.#rx = { atMs: nowMs, bytes: counters.sum(slot, RX) };
    this.#tx = { atMs: nowMs, bytes: counters.sum(slot, TX) };
  }

  /** Ends an interval: rates are computed anew. */
  sample(nowMs: number): void {
    const rx = { atMs: nowMs, bytes: this.counters.sum(this.slot, RX) };
    const tx = { atMs: nowMs, bytes: this.counters.sum(this.slot, TX) };
    this.#rxRate = rate(this.#rx, rx);
    this.#txRate = rate(this.#tx, tx);
    this.counters.setRate(this.slot, this.#rxRate + this.#txRate);
    this.#rx = rx;
    this.#tx = tx;
  }

  /** The counters now, with the rates of the last interval. */
  read(): Traffic {
    const { counters, slot } = this;
    return {
      active: counters.active(slot),
      total: counters.sum(slot, TOTAL),
      refused: counters.sum(slot, REFUSED),
      rx: counters.sum(slot, RX),
      tx: counters.sum(slot, TX),
      rxRate: this.#rxRate,
      txRate: this.#txRate,
    };
  }
}
