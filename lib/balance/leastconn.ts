import type { Candidates, StrategyKind } from "../kinds.ts";
import { weightOf } from "./_weights.ts";

/** Fewest sessions for its weight, over all workers; ties are broken by chance, evenly. */
export const leastconn: StrategyKind = {
  name: "leastconn",
  summary: "The backend with the fewest sessions for its weight.",
  build(members, random) {
    const weights = Float64Array.from(members, weightOf);
    return {
      pick(candidates: Candidates): number {
        let chosen = -1;
        let least = Infinity;
        let ties = 0;
        for (let index = 0; index < weights.length; index++) {
          if (!candidates.usable(index)) continue;
          const load = (candidates.active(index) + 1) / weights[index]!;
          if (load < least) {
            least = load;
            chosen = index;
            ties = 1;
          } else if (load === least && random() * ++ties < 1) {
            chosen = index;
          }
        }
        return chosen;
      },
    };
  },
};
