import { fnvStep } from "../fnv.ts";
import type { Candidates, Picker, StrategyKind } from "../kinds.ts";
import { backendKey, type Member } from "../model.ts";
import { shares } from "./_weights.ts";

/**
 * Rendezvous hashing: each member's score is the hash of the client's address followed by `host:port`, the highest
 * wins. With equal weights exactly gobetween's choice; otherwise scores are scaled so that each member wins in
 * proportion to its share (Schindelhauer and Schomaker's logarithmic method).
 *
 * Names are hashed in bytewise order, each from where it begins to differ from the one before: of 1,000 names
 * like `10.0.3.7:80` only the last few bytes are left to hash.
 */
class RendezvousPicker implements Picker {
  readonly #order: Uint16Array;
  /** All names in order, one behind the other, each without what it shares with the one before. */
  readonly #rest: Uint8Array;
  /** How many bytes each name shares with the one before, and where its rest ends. */
  readonly #shared: Uint16Array;
  readonly #ends: Uint32Array;
  /** The hash after each byte of the name in hand. */
  readonly #states: Int32Array;
  readonly #shares: Float64Array | undefined;

  constructor(members: readonly Member[]) {
    const encoder = new TextEncoder();
    const sorted = members.map((member, index) => ({ key: backendKey(member), index }))
      .sort((a, b) => a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
    const names = sorted.map(({ key }) => encoder.encode(key));
    const shared = names.map((name, at) => commonBytes(names[at - 1], name));
    const rests = names.map((name, at) => name.subarray(shared[at]!));
    let end = 0;
    this.#order = Uint16Array.from(sorted, ({ index }) => index);
    this.#shared = Uint16Array.from(shared);
    this.#ends = Uint32Array.from(rests, (rest) => end += rest.length);
    this.#rest = Uint8Array.from(rests.flatMap((rest) => [...rest]));
    this.#states = new Int32Array(Math.max(...names.map((name) => name.length)) + 1);
    const share = shares(members);
    this.#shares = share.every((each) => each === 1)
      ? undefined
      : Float64Array.from(this.#order, (index) => share[index]!);
  }

  pick(candidates: Candidates, key: number): number {
    const states = this.#states;
    states[0] = key;
    let chosen = -1;
    let highest = -Infinity;
    let byte = 0;
    for (let at = 0; at < this.#order.length; at++) {
      let depth = this.#shared[at]!;
      for (const end = this.#ends[at]!; byte < end; byte++, depth++) {
        states[depth + 1] = fnvStep(states[depth]!, this.#rest[byte]!);
      }
      const score = this.#score(at, states[depth]! >>> 0);
      if (score <= highest || !candidates.usable(this.#order[at]!)) continue;
      highest = score;
      chosen = this.#order[at]!;
    }
    return chosen;
  }

  #score(at: number, hash: number): number {
    const share = this.#shares?.[at];
    return share === undefined ? hash : -share / Math.log((hash + 0.5) / 2 ** 32);
  }
}

function commonBytes(a: Uint8Array | undefined, b: Uint8Array): number {
  let length = 0;
  while (a !== undefined && length < a.length && length < b.length && a[length] === b[length]) {
    length++;
  }
  return length;
}

/** By the client's address, moving only the clients of a backend that comes or goes. */
export const iphash1: StrategyKind = {
  name: "iphash1",
  summary: "By the client's address; only the clients of a backend that comes or goes move.",
  keyed: true,
  build: (members) => new RendezvousPicker(members),
};
