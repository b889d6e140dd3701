import type { Candidates, Picker, StrategyKind } from "../kinds.ts";
import type { Member } from "../model.ts";
import { Least } from "./_least.ts";
import { weightOf } from "./_weights.ts";

/**
 * Rates are known once a second or two, so a session that came since counts with the average rate of a session:
 * otherwise all of an interval's would go to one backend. The average is the one that the pick before has met.
 */
class BandwidthPicker implements Picker {
  readonly #weights: Float64Array;
  readonly #least: Least;
  /** Bytes a second of one session on the average, at least 1. */
  #each = 1;

  constructor(members: readonly Member[], random: () => number) {
    this.#weights = Float64Array.from(members, weightOf);
    this.#least = new Least(members.length, random);
  }

  pick(candidates: Candidates): number {
    const each = this.#each;
    const weights = this.#weights;
    let rates = 0;
    let sessions = 0;
    const picked = this.#least.pick(candidates, (index) => {
      const rate = candidates.rate(index);
      const then = candidates.activeThen(index);
      rates += rate;
      sessions += then;
      return (rate + Math.max(0, candidates.active(index) - then) * each) / weights[index]!;
    });
    this.#each = sessions === 0 ? 1 : Math.max(1, rates / sessions);
    return picked;
  }
}

/** The least traffic for its weight, over all workers; ties are broken by chance, evenly. */
export const leastbandwidth: StrategyKind = {
  name: "leastbandwidth",
  summary: "The backend with the least traffic for its weight.",
  build: (members, random) => new BandwidthPicker(members, random),
};
