import type { StrategyKind } from "../kinds.ts";
import { Registry } from "../registry.ts";
import { leastconn } from "./leastconn.ts";
import { roundrobin } from "./roundrobin.ts";
import { weight } from "./weight.ts";

/** Every strategy. A new one is a new file, a line here, and a test. */
export const strategies: Registry<StrategyKind> = new Registry(
  "strategy",
  [weight, roundrobin, leastconn],
  ["leastbandwidth", "iphash", "iphash1"],
);
