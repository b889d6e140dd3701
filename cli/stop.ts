import { systemClock } from "../lib/clock.ts";
import { messageOf } from "../lib/errors.ts";
import type { Configuration } from "../lib/configuration.ts";
import type { Notify } from "../lib/host/notify.ts";
import { handoverPath, readPid } from "../lib/host/pid_file.ts";
import { StateFile } from "../lib/host/state_file.ts";
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
  const open = balancer.supervisor.open();
  log.info("stopping: no new clients, open sessions may finish", { open, limit_ms: shutdownMs });
  service.stopping(drainStatus(open, shutdownMs));
  return await end(balancer, await drain(running, shutdownMs), log);
}

/** Longest wait for changes that are being made, before the state is left to another process. */
const QUIET_MS = 2_000;

/**
 * Who has taken over the pid file, if anybody: whoever tells us to yield without has told us by mistake. It gets our
 * last word, and nothing can be changed here any more; where that can't be written, we go on.
 */
export async function successorOf(
  pidFile: string | undefined,
  configuration: Configuration,
  log: Log,
): Promise<number | undefined> {
  const successor = namedIn(pidFile);
  if (pidFile === undefined || successor === undefined) {
    log.warning("SIGUSR2 is ignored: no other process has taken over the pid file", {
      pid_file: pidFile ?? "none",
    });
    return undefined;
  }
  const enough = new AbortController();
  await Promise.race([configuration.quiet(), systemClock.sleep(QUIET_MS, enough.signal)]);
  enough.abort();
  // nothing is awaited from here on: no change can come in between
  const file = new StateFile(handoverPath(pidFile));
  try {
    file.write(configuration.lastWord());
  } catch (error) {
    log.error("this process goes on: its state can't be left to the one that takes over", {
      file: file.path,
      why: messageOf(error),
    });
    return undefined;
  }
  if (namedIn(pidFile) === undefined) {
    file.remove();
    log.warning("this process goes on: the one that was to take over has given up waiting");
    return undefined;
  }
  configuration.close("another process has taken over from this one");
  return successor;
}

/** The other process that a pid file names. */
function namedIn(pidFile: string | undefined): number | undefined {
  const pid = pidFile === undefined ? undefined : readPid(pidFile);
  return typeof pid === "number" && pid !== Deno.pid ? pid : undefined;
}

/**
 * Ends the service because another process has taken over: what is open may finish, however long that takes unless
 * `takeover_timeout` says else. An order to stop shortens it to `shutdown_timeout`. Returns the exit code.
 */
export async function yieldService(
  running: Running,
  successor: number,
): Promise<number> {
  const { balancer, service, log } = running;
  const { takeoverMs } = balancer.supervisor.config().process;
  const open = balancer.supervisor.open();
  log.info("taken over by another process: no new clients, open sessions may finish", {
    open,
    ...takeoverMs > 0 ? { limit_ms: takeoverMs } : {},
  });
  service.release(successor);
  void balancer.api?.close(); // frees its address for the other one, and never rejects
  balancer.supervisor.endChecks();
  const why = await drain(running, takeoverMs > 0 ? takeoverMs : Infinity);
  if (why === TOLD) return await stop(running);
  return await end(balancer, why, log);
}

const TOLD = "told again";

/** Ends listening. Resolves, with the reason, when all sessions have ended or may no longer go on. */
async function drain(
  { balancer: { plane, supervisor }, signals, service, log }: Running,
  limitMs: number,
): Promise<string> {
  const enough = new AbortController();
  const progress = tellProgress({
    open: () => supervisor.open(),
    limitMs: limitMs === Infinity ? undefined : limitMs,
    clock: systemClock,
    log,
    status: (text) => service.status(text),
  }, enough.signal);
  const second = again(signals).then(() => TOLD);
  const late = systemClock.sleep(limitMs, enough.signal).then(() => "the limit has passed");
  const drained = plane.drain().then(() => "all sessions have ended");
  const why = await Promise.race([second, late, drained]);
  enough.abort();
  await progress;
  return why;
}

/** Ends everything. Returns the exit code. */
async function end(balancer: Balancer, why: string, log: Log): Promise<number> {
  const { supervisor, plane, api, reserve } = balancer;
  log.info(`stopped: ${why}`, { cut: supervisor.open() });
  supervisor.stop();
  await plane.end();
  await api?.close();
  reserve[Symbol.dispose]();
  return 0;
}

async function again(signals: Signals): Promise<void> {
  let order: Order;
  do order = await signals.next(); while (order !== "stop");
}
