import type { Candidates, Picker, StrategyKind } from "../kinds.ts";
import { backendKey, type Member } from "../model.ts";
import { shares } from "./_weights.ts";

/**
 * The client's hash modulo the usable members, in the bytewise order of `host:port`: with equal weights
 * exactly gobetween's choice, whoever of them is down. With others a member counts as often as its share.
 */
class HashPicker implements Picker {
  readonly #order: Uint16Array;
  readonly #shares: Float64Array;
  /** Usable members of one pick, in order, and the sum of the shares up to each. */
  readonly #usable: Uint16Array;
  readonly #ends: Float64Array;

  constructor(members: readonly Member[]) {
    const sorted = members.map((member, index) => ({ key: backendKey(member), index }))
      .sort((a, b) => a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
    const share = shares(members);
    this.#order = Uint16Array.from(sorted, ({ index }) => index);
    this.#shares = Float64Array.from(sorted, ({ index }) => share[index]!);
    this.#usable = new Uint16Array(members.length);
    this.#ends = new Float64Array(members.length);
  }

  pick(candidates: Candidates, key: number): number {
    let count = 0;
    let sum = 0;
    for (let at = 0; at < this.#order.length; at++) {
      const index = this.#order[at]!;
      if (!candidates.usable(index)) continue;
      sum += this.#shares[at]!;
      this.#usable[count] = index;
      this.#ends[count++] = sum;
    }
    if (count === 0) return -1;
    const point = key % sum;
    if (sum === count) return this.#usable[point]!; // all shares are 1
    return this.#usable[this.#ends.findIndex((end) => end > point)]!;
  }
}

/** By the client's address: the same backend as long as the usable ones stay the same. */
export const iphash: StrategyKind = {
  name: "iphash",
  summary: "By the client's address; most clients move when a backend comes or goes.",
  keyed: true,
  build: (members) => new HashPicker(members),
};
