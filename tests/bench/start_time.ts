/** How long a proxy takes from its start to its first connection. */
import { type Arena, inTurn, startProxy } from "./arena.ts";

/** Seconds that one start and end are expected to take. */
const EACH_SECONDS = 0.15;
/** A start is short, so that one in five meets a moment when the machine is busy otherwise. */
const STARTS_A_ROUND = 3;

/** What it is expected to take. */
export function startSeconds(entrants: number, rounds: number): number {
  return entrants * (rounds * STARTS_A_ROUND + 1) * EACH_SECONDS;
}

/** The first start of each, which fills the file system's cache, doesn't count. */
export async function measureStart(arena: Arena): Promise<void> {
  for (let round = -1; round < arena.rounds * STARTS_A_ROUND; round++) {
    for (const { proxy, result } of inTurn(arena.entrants, round + 1)) {
      arena.progress.step("start to listening", proxy.label, EACH_SECONDS);
      const before = performance.now();
      const { daemon } = await startProxy(arena, proxy);
      const ms = performance.now() - before;
      await daemon[Symbol.asyncDispose]();
      if (round >= 0) result.startMs.push(ms);
    }
  }
}
