/** The memory that an idle connection takes. */
import { pause } from "../support/clients.ts";
import { type Arena, type Entrant, type Running, startProxy } from "./arena.ts";
import { openIdle } from "./idle_clients.ts";
import { descriptorLimit, residentBytes } from "./kernel.ts";

const CONNECTIONS = 2_000;
/** More rounds say nothing new. */
const MOST_ROUNDS = 2;
/** Descriptors that this process needs beside one for each connection. */
const RESERVE = 500;
/** Memory of a start is given back by then. */
const BEFORE_MS = 1_000;
/** Nothing moves; collectors may. */
const AFTER_MS = 3_000;

/** What it is expected to take. */
export function idleMemorySeconds(entrants: number, rounds: number): number {
  return Math.min(rounds, MOST_ROUNDS) * (4.5 + 0.5 * entrants);
}

/** Opens connections through all proxies, one after the other, and looks when all are open. */
export async function measureIdleMemory(arena: Arena): Promise<void> {
  const { entrants, rounds, progress } = arena;
  const count = Math.min(
    CONNECTIONS,
    Math.floor((await descriptorLimit() - RESERVE) / entrants.length),
  );
  if (count < CONNECTIONS) {
    arena.note(
      `only ${count} idle connections instead of ${CONNECTIONS}: raise ulimit -Hn for more`,
    );
  }
  for (let round = 0; round < Math.min(rounds, MOST_ROUNDS); round++) {
    progress.step(
      "memory of idle connections",
      `round ${round + 1}`,
      4.5 + 0.5 * entrants.length,
    );
    await oneRound(arena, count);
  }
}

type Runner = Entrant & Running & { readonly before: number };

async function oneRound(arena: Arena, count: number): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const started: (Entrant & Running)[] = [];
  for (const entrant of arena.entrants) {
    const running = await startProxy(arena, entrant.proxy);
    stack.use(running.daemon);
    started.push({ ...entrant, ...running });
  }
  await pause(BEFORE_MS);
  const runners: Runner[] = [];
  for (const one of started) {
    const before = await residentBytes(one.daemon.pid);
    stack.use(await openIdle(arena, one.port, count));
    runners.push({ ...one, before });
  }
  await pause(AFTER_MS);
  for (const { daemon, result, before } of runners) {
    result.idleBytes.push((await residentBytes(daemon.pid) - before) / count);
  }
}
