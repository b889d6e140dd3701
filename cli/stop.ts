import { systemClock } from "../lib/clock.ts";
import type { Configuration } from "../lib/configuration.ts";
import type { Notify } from "../lib/host/notify.ts";
import { readPid } from "../lib/host/pid_file.ts";
import type { Log } from "../lib/log.ts";
import type { Balancer } from "./balancer.ts";
import { drainStatus, tellProgress } from "./drain_progress.ts";
import type { Order, Signals } from "./signals.ts";

/** A balancer that runs, and whom its end concerns. */
export type Running = {
  readonly balancer: Balancer;
  readonly signals: Signals;
  readonly service: Notify;
  readonly log: Log;
};

/** Finishes what is open, up to the limit; a second order to stop ends it at once. Returns the exit code. */
export async function stop(running: Running): Promise<number> {
  const { balancer, service, log } = running;
  const { shutdownMs } = balancer.supervisor.config().process;
  const open = balancer.counters.active(0);
  log.info("stopping: no new clients, open sessions may finish", { open, limit_ms: shutdownMs });
  service.stopping(drainStatus(open, shutdownMs));
  return await end(balancer, await drain(running, shutdownMs), log);
}

/** Who has taken over the pid file, if anybody: whoever tells us to yield without has told us by mistake. */
export function successorOf(pidFile: string | undefined, log: Log): number | undefined {
  const pid = pidFile === undefined ? undefined : readPid(pidFile);
  if (typeof pid === "number" && pid !== Deno.pid) return pid;
  log.warning("SIGUSR2 is ignored: no other process has taken over the pid file", {
    pid_file: pidFile ?? "none",
  });
  return undefined;
}

/**
 * Ends the service because another process has taken over: what is open may finish, however long that takes unless
 * `takeover_timeout` says else. An order to stop shortens it to `shutdown_timeout`. Returns the exit code.
 */
export async function yieldService(
  running: Running,
  configuration: Configuration,
  successor: number,
): Promise<number> {
  const { balancer, service, log } = running;
  const { takeoverMs } = balancer.supervisor.config().process;
  const open = balancer.counters.active(0);
  log.info("taken over by another process: no new clients, open sessions may finish", {
    open,
    ...takeoverMs > 0 ? { limit_ms: takeoverMs } : {},
  });
  service.release(successor);
  void balancer.api?.close(); // frees its address for the other one, and never rejects
  await configuration.handOver();
  balancer.supervisor.endChecks();
  const why = await drain(running, takeoverMs > 0 ? takeoverMs : Infinity);
  if (why === TOLD) return await stop(running);
  return await end(balancer, why, log);
}

const TOLD = "told again";

/** Ends listening. Resolves, with the reason, when all sessions have ended or may no longer go on. */
async function drain(
  { balancer: { workers, counters }, signals, service, log }: Running,
  limitMs: number,
): Promise<string> {
  const enough = new AbortController();
  const progress = tellProgress({
    open: () => counters.active(0),
    limitMs: limitMs === Infinity ? undefined : limitMs,
    clock: systemClock,
    log,
    status: (text) => service.status(text),
  }, enough.signal);
  const second = again(signals).then(() => TOLD);
  const late = systemClock.sleep(limitMs, enough.signal).then(() => "the limit has passed");
  const drained = workers.drain().then(() => "all sessions have ended");
  const why = await Promise.race([second, late, drained]);
  enough.abort();
  await progress;
  return why;
}

/** Ends everything. Returns the exit code. */
async function end(balancer: Balancer, why: string, log: Log): Promise<number> {
  const { supervisor, workers, counters, api, reserve } = balancer;
  log.info(`stopped: ${why}`, { cut: counters.active(0) });
  supervisor.stop();
  workers.end();
  await api?.close();
  reserve[Symbol.dispose]();
  return 0;
}

async function again(signals: Signals): Promise<void> {
  let order: Order;
  do order = await signals.next(); while (order !== "stop");
}
