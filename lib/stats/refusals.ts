import type { Refusals } from "../status.ts";
import type { Counters } from "./counters.ts";
import { DENIED, NO_BACKEND, OVER_CAPACITY, OVER_LIMIT } from "./layout.ts";

/** Why a server has turned clients away so far. */
export function refusalsOf(counters: Counters, slot: number): Refusals {
  return {
    overCapacity: counters.sum(slot, OVER_CAPACITY),
    overLimit: counters.sum(slot, OVER_LIMIT),
    denied: counters.sum(slot, DENIED),
    noBackend: counters.sum(slot, NO_BACKEND),
  };
}
