import type { StrategyKind } from "../kinds.ts";
import { Registry } from "../registry.ts";
import { iphash } from "./iphash.ts";
import { iphash1 } from "./iphash1.ts";
import { leastbandwidth } from "./leastbandwidth.ts";
import { leastconn } from "./leastconn.ts";
import { p2c } from "./p2c.ts";
import { random } from "./random.ts";
import { roundrobin } from "./roundrobin.ts";
import { weight } from "./weight.ts";

/** Every strategy. A new one is a new file, a line here, and a test. */
export const strategies: Registry<StrategyKind> = new Registry(
  "strategy",
  [weight, roundrobin, leastconn, leastbandwidth, iphash, iphash1, random, p2c],
);
