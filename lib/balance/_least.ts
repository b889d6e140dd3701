import type { Candidates } from "../kinds.ts";

/**
 * Finds the usable one of `count` members with the least load; ties are broken by chance, evenly. One pass that asks
 * whether a member is usable only where its load would be chosen: with 1,000 members that is what costs.
 */
export class Least {
  readonly #ties: Uint16Array;

  /** For tiers of `count` members; `random` gives [0, 1). */
  constructor(readonly count: number, readonly random: () => number) {
    this.#ties = new Uint16Array(count);
  }

  /** The index of the member, or -1 when none is usable. */
  pick(candidates: Candidates, load: (index: number) => number): number {
    let lowest = Infinity;
    let ties = 0;
    for (let index = 0; index < this.count; index++) {
      const its = load(index);
      if (its > lowest || !candidates.usable(index)) continue;
      if (its < lowest) ties = 0;
      lowest = its;
      this.#ties[ties++] = index;
    }
    return ties === 0 ? -1 : ties === 1 ? this.#ties[0]! : this.#ties[this.random() * ties | 0]!;
  }
}
