import type { StrategyKind } from "../kinds.ts";
import { WeightPicker } from "./weight.ts";

/** By chance: `weight` under the name that HAProxy's and nginx's users look for. */
export const random: StrategyKind = {
  name: "random",
  summary: "By chance, in proportion to weight: the same as weight.",
  build: (members, random) => new WeightPicker(members, random),
};
