import type { Candidates, Picker, StrategyKind } from "../kinds.ts";
import type { Member } from "../model.ts";
import { weightOf } from "./_weights.ts";

/** Draws that may hit unusable members before one exact scan decides. */
const DRAWS = 8;

/** Draws in proportion to weight; rejecting a draw keeps the law among those that are usable. */
export class WeightPicker implements Picker {
  readonly #weights: Float64Array;
  /** `#ends[i]` is the sum of the weights up to and including member i. */
  readonly #ends: Float64Array;

  /** `random` gives [0, 1). */
  constructor(members: readonly Member[], readonly random: () => number) {
    this.#weights = Float64Array.from(members, weightOf);
    let sum = 0;
    this.#ends = this.#weights.map((weight) => sum += weight);
  }

  /** The index of a usable member, or -1. */
  pick(candidates: Candidates): number {
    const total = this.#ends[this.#ends.length - 1]!;
    for (let draw = 0; draw < DRAWS; draw++) {
      const index = this.#at(this.random() * total);
      if (candidates.usable(index)) return index;
    }
    return this.#scan(candidates);
  }

  /** The member whose share of the sum holds `point`. */
  #at(point: number): number {
    let low = 0;
    let high = this.#ends.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#ends[middle]! > point) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** One pass: each usable member replaces the choice with the odds of its share so far. */
  #scan(candidates: Candidates): number {
    let chosen = -1;
    let sum = 0;
    for (let index = 0; index < this.#weights.length; index++) {
      if (!candidates.usable(index)) continue;
      const weight = this.#weights[index]!;
      sum += weight;
      if (this.random() * sum < weight) chosen = index;
    }
    return chosen;
  }
}

/** By chance, in proportion to weight (RFC 2782). */
export const weight: StrategyKind = {
  name: "weight",
  summary: "By chance, in proportion to each backend's weight.",
  build: (members, random) => new WeightPicker(members, random),
};
