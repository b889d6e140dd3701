import type { Candidates, Picker, StrategyKind } from "../kinds.ts";
import { backendKey, type Member } from "../model.ts";
import { shares } from "./_weights.ts";

/** Turns that may fall on unusable members before the next usable one in the order is taken. */
const TURNS = 8;
/** Longest order. Weights whose sum is larger are scaled down to it; nobody falls below one turn. */
const MAX_ORDER = 4096;

/**
 * The order of turns: each member as often as its share says, its turns spread evenly. Equal weights
 * give the plain order by `host:port`, as gobetween has it.
 */
export function turnsOf(members: readonly Member[]): Uint16Array {
  const sorted = members.map((member, index) => ({ index, key: backendKey(member) }))
    .sort((a, b) => a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
  const share = shares(members);
  const sum = share.reduce((a, b) => a + b);
  const scale = Math.min(1, MAX_ORDER / sum);
  const turns = sorted.flatMap(({ index }) => {
    const count = Math.max(1, Math.round(share[index]! * scale));
    return Array.from({ length: count }, (_, turn) => ({ index, at: (turn + 0.5) / count }));
  });
  return Uint16Array.from(turns.sort((a, b) => a.at - b.at), (turn) => turn.index);
}

/** Takes turns. The cursor is shared by all workers; a turn that falls on nobody usable is skipped. */
class TurnPicker implements Picker {
  readonly #order: Uint16Array;

  constructor(members: readonly Member[]) {
    this.#order = turnsOf(members);
  }

  pick(candidates: Candidates): number {
    const length = this.#order.length;
    let at = 0;
    for (let turn = 0; turn < TURNS; turn++) {
      at = candidates.turn() % length;
      const index = this.#order[at]!;
      if (candidates.usable(index)) return index;
    }
    for (let step = 1; step < length; step++) {
      const index = this.#order[(at + step) % length]!;
      if (candidates.usable(index)) return index;
    }
    return -1;
  }
}

/** In turn, as often as weight says. */
export const roundrobin: StrategyKind = {
  name: "roundrobin",
  summary: "In turn, each backend as often as its weight says.",
  build: (members) => new TurnPicker(members),
};
