import { watchCertificates } from "../lib/certificate_watch.ts";
import { systemClock } from "../lib/clock.ts";
import { Configuration } from "../lib/configuration.ts";
import { messageOf, problemLine, StartError } from "../lib/errors.ts";
import { probeStateFile, StateFile } from "../lib/host/state_file.ts";
import { portsOf } from "../lib/host/takeover.ts";
import type { Notify } from "../lib/host/notify.ts";
import { writePidFile } from "../lib/host/pid_file.ts";
import type { Log } from "../lib/log.ts";
import type { Config } from "../lib/model.ts";
import type { BaseText, Source } from "../lib/source/source.ts";
import { Watchdog } from "../lib/watchdog.ts";
import { keepCertificates, probeAcme } from "./acme.ts";
import { Ahead } from "./ahead.ts";
import { type Balancer, startBalancer } from "./balancer.ts";
import { openLog } from "./open_log.ts";
import type { Output } from "./output.ts";
import type { Parts } from "./parts.ts";
import { reload } from "./reload.ts";
import { giveUpRun } from "./run_permission.ts";
import { openService, signsOfLife, takeServiceEnv, tellReady } from "./service.ts";
import { Signals } from "./signals.ts";
import { stop, successorOf, yieldService } from "./stop.ts";
import { Takeover } from "./takeover.ts";

/** What to run, and how. */
export type RunOptions = {
  /** Where the configuration comes from. */
  readonly source: Source;
  /** Reloads when the source tells of a change. */
  readonly watch?: boolean | undefined;
  readonly pidFile?: string | undefined;
  /** Takes over the running process that the pid file names. */
  readonly takeover?: boolean | undefined;
  /** Makes unknown keys warnings. */
  readonly lenient?: boolean | undefined;
  /** Programs that servers which the API adds may run. */
  readonly allowExec?: readonly string[] | undefined;
  /** Stays able to run programs, even if nothing that is configured does. */
  readonly keepPermissions?: boolean | undefined;
  /** Told once everything listens. */
  onListening?(balancer: Balancer): void;
};

/** How often the control plane looks after its workers. */
const TICK_MS = 250;
/** How often rates are computed. */
const SAMPLE_MS = 2_000;
/** Longest wait for the log's last lines. */
const LAST_LINES_MS = 500;
/** The exit code after which a service manager should start the program anew. */
const EXIT_WATCHDOG = 70;

/**
 * Runs a balancer until it is told to stop. Returns the exit code.
 * @throws ConfigError, StartError when it can't start.
 */
export async function run(parts: Parts, options: RunOptions, output: Output): Promise<number> {
  const startedAtMs = Date.now();
  const fault = faultHook();
  const manager = takeServiceEnv(); // before anything runs a program
  using signals = new Signals(fault !== undefined);
  using ahead = new Ahead(parts.spawnWorker);
  const { pidFile } = options;
  const takeover = options.takeover ? Takeover.of(pidFile!) : undefined;
  const configuration = new Configuration({
    source: options.source,
    kinds: parts.kinds,
    lenient: options.lenient ?? false,
    allowExec: options.allowExec,
    stateFile: (config) => stateFileOf(config, pidFile),
    inherits: takeover !== undefined,
    startedAtMs,
    wallTime: Date.now,
  });
  const loaded = await unlessStopped(configuration.load(signals.stop), signals);
  if (loaded === undefined) return 0;
  const { config, warnings } = loaded;
  using owned = new DisposableStack();
  owned.defer(() => configuration.close());
  if (pidFile !== undefined && takeover === undefined) owned.use(writePidFile(pidFile));
  const { log, writer } = await openLog(config.logging);
  surviveRejections(log);
  const service = owned.use(openService(manager, log));
  for (const warning of warnings) log.warning(problemLine(warning));
  if (options.takeover && !takeover) {
    log.warning("nobody runs who could be taken over", { pidFile });
  }
  try {
    probeAcme(config); // before anybody is taken over
    const balancer = await startBalancer(
      parts,
      ahead,
      config,
      configuration,
      log,
      takeover && {
        pid: takeover.pid,
        check: () => takeover.check(),
        ports: () => portsOf(takeover.pid),
        complete: async () => {
          owned.use(await takeover.complete(configuration, log));
        },
      },
    );
    giveUpRun(configuration.config(), parts.kinds, options);
    announce(parts, balancer, log);
    tellReady(service, balancer, configuration);
    options.onListening?.(balancer);
    using certificates = keepCertificates(() => configuration.config(), log.part("acme"));
    using watching = watch(options, balancer, (base) => reload(configuration, base), log);
    using _care = lookAfter(balancer, config, service, (message) => {
      log.error(message);
      output.err(`error: ${message}\n`);
    });
    const running = { balancer, signals, service, log };
    for (;;) {
      const order = await signals.next();
      if (order === "stop") {
        watching[Symbol.dispose](); // a change that comes now would listen anew
        certificates[Symbol.dispose]();
        configuration.close();
        return await stop(running);
      }
      if (order === "fault") balancer.workers.fault(0, fault!);
      if (order === "reload") {
        writer.reopen();
        void reload(configuration); // an order to stop doesn't wait for it
      }
      const successor = order === "yield"
        ? await successorOf(pidFile, configuration, log)
        : undefined;
      if (successor !== undefined) {
        watching[Symbol.dispose]();
        certificates[Symbol.dispose]();
        return await yieldService(running, successor);
      }
    }
  } finally {
    await writer.close(LAST_LINES_MS);
  }
}

/** What was loaded; undefined where an order to stop has ended the wait for it. */
async function unlessStopped<T>(loaded: Promise<T>, { stop }: Signals): Promise<T | undefined> {
  try {
    return await loaded;
  } catch (error) {
    if (stop.aborted) return undefined;
    throw error;
  }
}

/** Reloads with each text that the source tells of, and reads changed certificates anew. Disposing ends it. */
function watch(
  { source, watch }: RunOptions,
  { supervisor }: Balancer,
  reload: (base: BaseText) => Promise<void>,
  log: Log,
): Disposable {
  const stop = new AbortController();
  void watchCertificates(supervisor, systemClock, stop.signal);
  if (watch) {
    void source.watch?.({
      changed: (base) => void reload(base),
      failed: (why) =>
        log.error("the configuration's source can't be read; the last good one stays in force", {
          why,
        }),
      recovered: () => log.info("the configuration's source can be read again"),
    }, stop.signal);
  }
  return { [Symbol.dispose]: () => stop.abort() };
}

/** The state file: as configured, or beside the pid file. */
function stateFileOf({ process }: Config, pidFile: string | undefined): StateFile | undefined {
  if (process.stateFile !== undefined) {
    if (process.stateFile === pidFile) {
      throw new StartError(`state_file and pid file are both ${pidFile}`, "name two files", true);
    }
    probeStateFile(process.stateFile);
  }
  const path = process.stateFile ?? pidFile?.replace(/(\.pid)?$/, ".state.json");
  return path === undefined ? undefined : new StateFile(path);
}

/** `die` or `hang`: what a worker does on SIGQUIT, for tests of how the rest copes. */
function faultHook(): "die" | "hang" | undefined {
  const fault = Deno.env.get("TWIXT_TEST_FAULT");
  return fault === "die" || fault === "hang" ? fault : undefined;
}

/** Whatever goes wrong in one place must not end the process. */
function surviveRejections(log: Log): void {
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    log.error("an error that nobody expected", { why: messageOf(event.reason) });
  });
}

function announce(parts: Parts, { workers, counters }: Balancer, log: Log): void {
  log.info(`twixt ${parts.version}`, {
    pid: Deno.pid,
    workers: workers.options.count,
    sessions_allowed: counters.capacity,
  });
}

/** The control plane's tick: watchdog, signs of life, rates. Disposing ends it. */
function lookAfter(
  { supervisor, workers, counters }: Balancer,
  config: Config,
  service: Notify,
  complain: (message: string) => void,
): Disposable {
  const watchdog = new Watchdog(counters, config.process.watchdogMs, TICK_MS);
  const showLife = signsOfLife(service, { workers, counters }, TICK_MS);
  const watch = setInterval(() => {
    const worker = watchdog.tick(workers.running());
    if (worker === undefined) return showLife();
    complain(
      `worker ${worker} hangs (no heartbeat for ${config.process.watchdogMs} ms) and can't be ` +
        `stopped; ending the process with code ${EXIT_WATCHDOG} so that it is started anew`,
    );
    supervisor.stop(); // programs that run for it would outlive it
    Deno.exit(EXIT_WATCHDOG);
  }, TICK_MS);
  const sample = setInterval(() => supervisor.sample(), SAMPLE_MS);
  return {
    [Symbol.dispose]() {
      clearInterval(watch);
      clearInterval(sample);
    },
  };
}
