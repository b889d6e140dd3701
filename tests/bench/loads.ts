/** Requests over open connections, a connection for each, large files: what each costs, and how fast it is. */
import { type Arena, type Entrant, inTurn, type Running, startProxy } from "./arena.ts";
import { cpuTimes, usedBetween } from "./kernel.ts";
import type { Proxy } from "./proxies.ts";
import { isTls, type Load, LOADS, type PlainLoad, plainOf, type Sample } from "./results.ts";
import { runWrk } from "./wrk.ts";

/** Rounds with TLS: fewer, for time. */
const TLS_ROUNDS = 3;
const NAMES: { readonly [load in PlainLoad]: string } = {
  keepalive: "requests over open connections",
  short: "a connection for each request",
  bulk: "large files",
};
/** What wrk's start and two looks at the kernel's accounting take. */
const OVERHEAD_SECONDS = 0.1;

/** What it is expected to take. */
export function loadSeconds(
  proxies: readonly Proxy[],
  rounds: number,
  seconds: number,
): number {
  const tls = Math.min(rounds, TLS_ROUNDS);
  return (rounds + 0.5) * roundSeconds(proxies, seconds, false) +
    (tls + 0.5) * roundSeconds(proxies, seconds, true);
}

/** What a round takes, in the plain or with TLS. */
function roundSeconds(proxies: readonly Proxy[], seconds: number, tls: boolean): number {
  const loads = LOADS.filter((load) => isTls(load) === tls)
    .map((load) => proxies.filter((proxy) => takes(proxy, load)).length);
  return 2 * loads.reduce((sum, each) => sum + each) *
    (seconds + OVERHEAD_SECONDS);
}

/** Two workers move large files like one: the kernel copies. */
function takes({ twoWorkers, tls }: Proxy, load: Load): boolean {
  if (isTls(load)) return tls === true;
  return load !== "bulk" || twoWorkers !== true;
}

type Runner = Entrant & {
  readonly running: { readonly [load in Load]?: Running };
};

/**
 * Loads each proxy in turn, in rounds; the first, in which just-in-time compilers learn, doesn't count. A round goes
 * through them once forwards and once backwards, and both together are its figure: when the machine gets slower
 * meanwhile, it does so for all of them.
 */
export async function measureLoads(
  arena: Arena,
  seconds: number,
): Promise<void> {
  const { entrants, rounds, progress } = arena;
  await using stack = new AsyncDisposableStack();
  const runners: Runner[] = [];
  for (const entrant of entrants) {
    runners.push(await startRunner(arena, entrant, stack));
  }
  const secure = arena.certificate !== undefined;
  const needed = (round: number) =>
    [false, ...secure && round < TLS_ROUNDS ? [true] : []].reduce(
      (sum, tls) => sum + roundSeconds(entrants.map(({ proxy }) => proxy), seconds, tls),
      0,
    );
  for (let round = -1; round < rounds; round++) {
    if (round > 0 && progress.over(needed(round))) {
      return arena.note(
        `${round} rounds under load instead of ${rounds}: time was up`,
      );
    }
    const title = round < 0 ? "warming up" : `round ${round + 1} of ${rounds}`;
    const slice = async ({ proxy, running }: Runner, load: Load) => {
      progress.step(
        title,
        `${NAMES[plainOf(load)]}${isTls(load) ? " by TLS" : ""}, ${proxy.label}`,
        seconds + OVERHEAD_SECONDS,
      );
      return await sampleOf(arena, running[load]!, load, seconds);
    };
    for (const load of LOADS.filter((each) => !isTls(each) || round < TLS_ROUNDS)) {
      const order = inTurn(
        runners.filter(({ running }) => running[load] !== undefined),
        round + 1,
      );
      const first = new Map<Runner, Sample>();
      for (const runner of order) first.set(runner, await slice(runner, load));
      if (round < 0) continue;
      for (const runner of order.toReversed()) {
        runner.result.loads[load].push(
          together(first.get(runner)!, await slice(runner, load)),
        );
      }
    }
  }
}

async function startRunner(
  arena: Arena,
  entrant: Entrant,
  stack: AsyncDisposableStack,
): Promise<Runner> {
  const { proxy } = entrant;
  const start = async (tls: boolean) => {
    const running = await startProxy(arena, proxy, { tls });
    stack.use(running.daemon);
    const bulk = proxy.apartForBulk ? await startProxy(arena, proxy, { bulk: true, tls }) : running;
    if (bulk !== running) stack.use(bulk.daemon);
    return { running, bulk };
  };
  const { running, bulk } = await start(false);
  const plain = {
    ...{ keepalive: running, short: running },
    ...takes(proxy, "bulk") ? { bulk } : {},
  };
  if (!proxy.tls || arena.certificate === undefined) return { ...entrant, running: plain };
  const secure = await start(true);
  return {
    ...entrant,
    running: {
      ...{ ...plain, tls_keepalive: secure.running, tls_short: secure.running },
      tls_bulk: secure.bulk,
    },
  };
}

/** Two samples as one. Of percentiles, which can't be added, it has the mean. */
export function together(a: Sample, b: Sample): Sample {
  const threads = Math.max(a.threadSeconds.length, b.threadSeconds.length);
  return {
    requests: a.requests + b.requests,
    bytes: a.bytes + b.bytes,
    seconds: a.seconds + b.seconds,
    errors: a.errors + b.errors,
    p50Us: (a.p50Us + b.p50Us) / 2,
    p99Us: (a.p99Us + b.p99Us) / 2,
    cpuSeconds: a.cpuSeconds + b.cpuSeconds,
    threadSeconds: Array.from(
      { length: threads },
      (_, at) => (a.threadSeconds[at] ?? 0) + (b.threadSeconds[at] ?? 0),
    ),
  };
}

/** One load through one proxy, once. */
export async function sampleOf(
  { wrk, wrkScript }: Arena,
  { daemon, port }: Running,
  load: Load,
  seconds: number,
): Promise<Sample> {
  const before = await cpuTimes(daemon.pid);
  const report = await runWrk({
    wrk: wrk!,
    script: wrkScript,
    port,
    load,
    seconds,
  });
  const threadSeconds = usedBetween(before, await cpuTimes(daemon.pid));
  return {
    requests: report.requests,
    bytes: report.bytes,
    seconds: report.us / 1e6,
    errors: report.errors,
    p50Us: report.p50,
    p99Us: report.p99,
    cpuSeconds: threadSeconds.reduce((sum, each) => sum + each, 0),
    threadSeconds,
  };
}
