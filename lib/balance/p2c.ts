import type { Candidates, StrategyKind } from "../kinds.ts";
import { weightOf } from "./_weights.ts";
import { WeightPicker } from "./weight.ts";

/** Two by chance, in proportion to weight; the one with fewer sessions for its weight. */
export const p2c: StrategyKind = {
  name: "p2c",
  summary: "Of two backends by chance, the one with fewer sessions for its weight.",
  build(members, random) {
    const chance = new WeightPicker(members, random);
    const weights = Float64Array.from(members, weightOf);
    return {
      pick(candidates: Candidates): number {
        const first = chance.pick(candidates);
        if (first < 0) return first;
        const second = chance.pick(candidates);
        const load = (index: number) => (candidates.active(index) + 1) / weights[index]!;
        return load(second) < load(first) ? second : first;
      },
    };
  },
};
