import type { Drops } from "../status.ts";
import type { Counters } from "./counters.ts";
import { EVICTED, OVERSIZE, UNSENT } from "./layout.ts";

/** What a server of datagrams has dropped so far. */
export function dropsOf(counters: Counters, slot: number): Drops {
  return {
    oversize: counters.sum(slot, OVERSIZE),
    unsent: counters.sum(slot, UNSENT),
    evicted: counters.sum(slot, EVICTED),
  };
}
