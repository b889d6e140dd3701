/** What thousands of idle connections, opened first, do to the cost of the active ones. */
import { type Arena, inTurn, startProxy } from "./arena.ts";
import { openIdle } from "./idle_clients.ts";
import { sampleOf } from "./loads.ts";
import { unitCost } from "./results.ts";

const IDLE = 5_000;
const SECONDS = 1;
/** Whose: the runtime's collector is what makes them cost something. */
const WHOSE = new Set(["bare", "twixt", "compiled"]);
const SETUP_SECONDS = 2;
/** What wrk's start and two looks at the kernel's accounting take. */
const OVERHEAD_SECONDS = 0.1;
/** More rounds take more than they tell. */
const MOST_ROUNDS = 4;

/** What it is expected to take. */
export function idleEffectSeconds(
  ids: readonly string[],
  rounds: number,
): number {
  const count = ids.filter((id) => WHOSE.has(id)).length;
  return count *
    (SETUP_SECONDS +
      (Math.min(rounds, MOST_ROUNDS) + 1) * 2 * (SECONDS + OVERHEAD_SECONDS));
}

/** Two processes of each proxy, one with idle connections, loaded in turn. */
export async function measureIdleEffect(arena: Arena): Promise<void> {
  for (
    const { proxy, result } of arena.entrants.filter(({ proxy }) => WHOSE.has(proxy.id))
  ) {
    const step = (what: string, seconds: number) =>
      arena.progress.step(
        `${IDLE} idle beside 64 active`,
        `${proxy.label}, ${what}`,
        seconds,
      );
    step("opening", SETUP_SECONDS);
    await using stack = new AsyncDisposableStack();
    const alone = await startProxy(arena, proxy);
    stack.use(alone.daemon);
    const beside = await startProxy(arena, proxy);
    stack.use(beside.daemon);
    stack.use(await openIdle(arena, beside.port, IDLE));
    const both = [[alone, result.active.alone], [
      beside,
      result.active.besideIdle,
    ]] as const;
    for (let round = -1; round < Math.min(arena.rounds, MOST_ROUNDS); round++) {
      for (const [running, costs] of inTurn(both, round + 1)) {
        step(`round ${round + 1}`, SECONDS + OVERHEAD_SECONDS);
        const sample = await sampleOf(arena, running, "keepalive", SECONDS);
        if (round >= 0) costs.push(unitCost("keepalive", sample));
      }
    }
  }
}
