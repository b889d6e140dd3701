import { systemClock } from "../lib/clock.ts";
import type { Configuration } from "../lib/configuration.ts";
import { type Notify, openNotify } from "../lib/host/notify.ts";
import type { Log } from "../lib/log.ts";
import type { Counters } from "../lib/stats/counters.ts";
import { Watchdog } from "../lib/watchdog.ts";
import type { Workers } from "../lib/workers.ts";
import type { Balancer } from "./balancer.ts";

/** What a service manager says in the environment. */
export type ServiceEnv = {
  /** Where it wants to be told of what happens. */
  readonly notifySocket: string | undefined;
  /** It ends a process that gives no sign of life for so long. */
  readonly watchdogMs: number | undefined;
};

/** An environment: the process's own, or a test's. */
type Env = { get(name: string): string | undefined; delete(name: string): unknown };

/** Takes it out of the environment, so that programs which Twixt runs don't speak in its name. */
export function takeServiceEnv(env: Env = Deno.env, pid: number = Deno.pid): ServiceEnv {
  const take = (name: string): string | undefined => {
    const value = env.get(name);
    env.delete(name);
    return value || undefined;
  };
  const watched = take("WATCHDOG_PID");
  const usec = Number(take("WATCHDOG_USEC"));
  const ours = watched === undefined || Number(watched) === pid;
  return {
    notifySocket: take("NOTIFY_SOCKET"),
    watchdogMs: ours && usec > 0 ? usec / 1_000 : undefined,
  };
}

/** Opens the way to the service manager, if there is one. The caller disposes it. */
export function openService({ notifySocket, watchdogMs }: ServiceEnv, log: Log): Notify {
  return openNotify(notifySocket, { watchdogMs, clock: systemClock, log });
}

/** Tells that the service is up, and from then on of each reload. */
export function tellReady(
  service: Notify,
  balancer: Balancer,
  configuration: Configuration,
): void {
  service.ready(serving(balancer));
  configuration.around = async (reload) => {
    service.reloading();
    try {
      return await reload();
    } finally {
      service.ready(serving(balancer));
    }
  };
}

function serving({ supervisor, workers }: Balancer): string {
  return `serving: servers ${supervisor.config().servers.size}, workers ${workers.options.count}`;
}

/**
 * The signs of life, given at each tick of the control plane: not while a worker has been silent for half of the
 * manager's time. So the manager ends a process whose own watchdog is off, or slower.
 */
export function signsOfLife(
  service: Pick<Notify, "watchdogMs" | "alive">,
  { counters, workers }: {
    readonly counters: Counters;
    readonly workers: Pick<Workers, "running">;
  },
  tickMs: number,
): () => void {
  const watchdog = new Watchdog(counters, (service.watchdogMs ?? 0) / 2, tickMs);
  return () => {
    if (watchdog.tick(workers.running()) === undefined) service.alive();
  };
}
