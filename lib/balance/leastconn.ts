import type { Candidates, StrategyKind } from "../kinds.ts";
import { Least } from "./_least.ts";
import { weightOf } from "./_weights.ts";

/** Fewest sessions for its weight, over all workers; ties are broken by chance, evenly. */
export const leastconn: StrategyKind = {
  name: "leastconn",
  summary: "The backend with the fewest sessions for its weight.",
  build(members, random) {
    const weights = Float64Array.from(members, weightOf);
    const least = new Least(weights.length, random);
    return {
      pick: (candidates: Candidates) =>
        least.pick(candidates, (index) => (candidates.active(index) + 1) / weights[index]!),
    };
  },
};
