import type { Member, PoolTable } from "../../lib/model.ts";
import { counterBuffer, Counters } from "../../lib/stats/counters.ts";

/** Counters of one worker, with the control plane's row. */
export function counters(workers = 1, row = 0): Counters {
  return new Counters(counterBuffer(workers), workers, row);
}

/** A member of a table; `index` gives its slot and its address. */
export function member(index: number, facts: Partial<Member> = {}): Member {
  const host = `10.0.${index >> 8}.${index & 255}`;
  return {
    slot: 10 + index,
    host,
    address: host,
    port: 80,
    weight: 1,
    priority: 1,
    maxConnections: 0,
    sni: "",
    ...facts,
  };
}

/** A table of members with these weights. */
export function table(strategy: string, members: readonly Member[]): PoolTable {
  return { name: "pool", slot: 1, strategy, members };
}
