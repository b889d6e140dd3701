/** What choosing a backend takes, in this process: the real election over the real counters. */
import { Electorate, NOTHING_TRIED } from "../../lib/election.ts";
import { strategies } from "../../lib/balance/registry.ts";
import { counters, member, table } from "../support/members.ts";
import type { ElectionResult } from "./results.ts";
import { median } from "./statistics.ts";

/** How long one measurement takes, and how many there are of each; the compiler has the first ones to itself. */
const BATCH_MS = 15;
const BATCHES = 7;
const WARM_UP = 3;
/** Sessions that are open meanwhile, so that those who look at counts have something to compare. */
const OPEN = 64;

/** What it is expected to take. */
export const electionSeconds: number = strategies.names().length * 2 *
  (BATCHES + WARM_UP) *
  BATCH_MS / 1_000;

/** Each strategy with 2 and with 1,000 backends. */
export function measureElections(): ElectionResult[] {
  return strategies.names().map((strategy) => ({
    strategy,
    ofTwoNs: nsOf(strategy, 2),
    ofThousandNs: nsOf(strategy, 1_000),
  }));
}

function nsOf(strategy: string, backends: number): number {
  const members = Array.from({ length: backends }, (_, index) => member(index));
  const shared = counters();
  const electorate = new Electorate(
    table(strategy, members),
    strategies.get(strategy),
    shared,
    Math.random,
  );
  for (let key = 0; key < OPEN; key++) {
    electorate.lease(keyOf(key), NOTHING_TRIED);
  }
  const run = (count: number) => {
    const start = performance.now();
    for (let i = 0; i < count; i++) {
      const leased = electorate.lease(keyOf(i), NOTHING_TRIED)!;
      shared.release(leased.slot);
    }
    return (performance.now() - start) * 1e6 / count;
  };
  let ns = run(100);
  const batches: number[] = [];
  for (let batch = 0; batch < WARM_UP + BATCHES; batch++) {
    ns = run(Math.ceil(BATCH_MS * 1e6 / ns));
    if (batch >= WARM_UP) batches.push(ns);
  }
  return median(batches);
}

/** A client's key; as cheap as can be, since what it takes is counted. */
function keyOf(client: number): number {
  return Math.imul(client, 2_654_435_761) >>> 0;
}
