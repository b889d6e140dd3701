import type { ApiServer } from "../api/serve.ts";
import { portKey } from "../lib/address.ts";
import { systemClock } from "../lib/clock.ts";
import type { Configuration } from "../lib/configuration.ts";
import { messageOf, StartError } from "../lib/errors.ts";
import { descriptorBudget } from "../lib/host/budget.ts";
import { openDescriptors, raiseDescriptorLimit } from "../lib/host/facts.ts";
import { onceLeft, runProgram } from "../lib/host/program.ts";
import { ownAddresses } from "../lib/host/own_addresses.ts";
import { endSessions } from "../lib/host/sessions.ts";
import { DescriptorReserve } from "../lib/host/reserve.ts";
import { Forwarder } from "../lib/kernel/forwarder.ts";
import type { Log } from "../lib/log.ts";
import type { Config } from "../lib/model.ts";
import { lookup } from "../lib/net/lookup.ts";
import { Names } from "../lib/net/names.ts";
import { probe } from "../lib/net/probe.ts";
import { Planes } from "../lib/planes.ts";
import { CheckPlaces } from "../lib/check_places.ts";
import { counterBuffer, Counters } from "../lib/stats/counters.ts";
import { MAX_WORKERS } from "../lib/stats/layout.ts";
import { Slots } from "../lib/stats/slots.ts";
import { Supervisor } from "../lib/supervisor.ts";
import { Workers } from "../lib/workers.ts";
import type { Ahead } from "./ahead.ts";
import type { Parts } from "./parts.ts";
import { type ApiSetup, isTaken, startApi } from "./api.ts";
import { setCapacity, tellOfReceiveBuffer } from "./capacity.ts";
import { afterReload, probeApi } from "./reload.ts";
import { refuseCommands } from "./run_permission.ts";

/** Descriptors kept back for making a worker. */
const RESERVED_DESCRIPTORS = 12;
/** How long making a worker may need them. */
const LENT_MS = 1_000;
/** Descriptors that are open at rest, where they can't be counted. */
const USUALLY_OPEN = 64;
/** Bytes that the large buffers of all workers may take together. */
const BUFFER_BUDGET = 128 << 20;

/** A balancer that runs: what the life cycle needs of it. */
export type Balancer = {
  readonly supervisor: Supervisor;
  readonly workers: Workers;
  /** The workers and the kernel. */
  readonly plane: Planes;
  readonly counters: Counters;
  /** The API as it runs; replaced when its address changes. */
  api: ApiServer | undefined;
  readonly reserve: DescriptorReserve;
  /** The soft limit of descriptors, if known. */
  readonly descriptors: number | undefined;
  /** Descriptors that were open without the servers' listeners. */
  openDescriptors: number;
};

/** What a process does that takes over from another one. */
export type Succession = {
  /** The old process. */
  readonly pid: number;
  /** Finds out whether it can be done, before anything listens. @throws StartError */
  check(): void;
  /** The ports that the old process listens on, by `portKey()`; undefined where nobody can tell. */
  ports(): Promise<ReadonlySet<string> | undefined>;
  /** Makes the old process end its service; this one listens already. @throws StartError; the old one goes on then. */
  complete(): Promise<void>;
};

/** Longest wait for an API address that the old process is about to leave. */
const LEFT_MS = 5_000;

/**
 * Starts workers, servers and the API, in this order, each only when the one before stands.
 *
 * @param takeover Where another process is to be replaced: it is told when all servers listen beside its own.
 * @throws StartError when something can't be bound; nothing is left behind then.
 */
export async function startBalancer(
  parts: Parts,
  ahead: Ahead,
  config: Config,
  configuration: Configuration,
  log: Log,
  takeover?: Succession,
): Promise<Balancer> {
  const facts = await ahead.facts;
  const descriptors = await raiseDescriptorLimit(facts);
  const reserve = new DescriptorReserve(RESERVED_DESCRIPTORS);
  const count = workerCount(config, facts.quotaCores);
  const buffer = counterBuffer(count);
  const counters = new Counters(buffer, count, count);
  const workers = new Workers({
    count,
    spawn: () => {
      reserve.lend(LENT_MS);
      return ahead.worker();
    },
    buffer,
    counters,
    setup: {
      bufferBudget: BUFFER_BUDGET / count,
      debug: config.logging.level === "debug" || config.logging.level === "trace",
    },
    clock: systemClock,
    log,
  });
  const kernel = new Forwarder({
    run: runProgram,
    ...{ pid: Deno.pid, predecessor: takeover?.pid, addresses: ownAddresses },
    ...{ counters, clock: systemClock, log: log.part("kernel") },
  });
  const plane = new Planes(workers, kernel);
  const supervisor = new Supervisor({ ...config, servers: new Map(), pools: new Map() }, {
    ...parts.kinds,
    plane,
    counters,
    slots: new Slots(counters),
    names: namesOf(log),
    clock: systemClock,
    random: Math.random,
    checkPlaces: new CheckPlaces(descriptorBudget(descriptors, 0).checks),
    log: log.part("pool"),
    wallTime: Date.now,
    run: onceLeft(endSessions(runProgram)),
    onDiscoveredWeight: () => configuration.weightsChanged(),
    onHealth: () => configuration.healthChanged(),
    leftDown: configuration.leftDown,
  });
  const balancer: Balancer = {
    ...{ supervisor, workers, plane, counters, api: undefined, reserve, descriptors },
    openDescriptors: USUALLY_OPEN,
  };
  const setup = { parts, control: configuration, descriptors, log };
  try {
    const ports = await takeover?.ports();
    probePlaces(config, takeover, ports); // before anybody can have connected
    await workers.start();
    await supervisor.adjust(configuration.overlay().backends); // drained backends get nobody, not even at first
    await supervisor.apply(config, takeover && { beside: ports ?? "any" })
      .catch((error) => Promise.reject(overlayNamed(error, configuration)));
    tellOfOverlay(configuration, log);
    await configuration.attach(supervisor, log, {
      check: (before: Config, after: Config) => {
        refuseCommands(after, parts.kinds);
        probeApi(before, after);
      },
      done: (before: Config, after: Config) => afterReload(balancer, setup, before, after),
    });
    await Promise.all([measure(balancer, config), kernel.sweep()]);
    setCapacity(balancer, config, log);
    tellOfReceiveBuffer(config, facts, log);
    await takeover?.complete();
    kernel.takenOver();
  } catch (error) {
    // clients that have come already are served to their end: they needn't know that this process came too early
    const enough = new AbortController();
    const limitMs = takeover ? config.process.shutdownMs : 0;
    await Promise.race([plane.drain(), systemClock.sleep(limitMs, enough.signal)]);
    enough.abort();
    await end(balancer);
    throw error;
  }
  await openApi(balancer, config, setup, takeover !== undefined);
  return balancer;
}

async function end({ supervisor, plane, reserve }: Balancer): Promise<void> {
  supervisor.stop();
  await plane.end();
  reserve[Symbol.dispose]();
}

/** Finds out whether the API's address and the pid file can be had. @throws StartError */
function probePlaces(
  { api }: Config,
  takeover: Succession | undefined,
  ports: ReadonlySet<string> | undefined,
): void {
  takeover?.check();
  if (api === undefined) return;
  try {
    probe(api.bind, "the API");
  } catch (error) {
    if (takeover === undefined || !isTaken(error)) throw error;
    if (ports !== undefined && !ports.has(portKey("tcp", api.bind.port))) throw error;
  }
}

/** Says which of what runs was never written into a file. */
function tellOfOverlay(configuration: Configuration, log: Log): void {
  const { servers, backends } = configuration.overlay();
  const changed = { servers: Object.keys(servers), pools: Object.keys(backends) };
  if (changed.servers.length + changed.pools.length === 0) return;
  log.info("changes made through the API before are in force: see twixt overlay", changed);
}

/** Counts the descriptors that are open beside the servers' listeners. */
async function measure(balancer: Balancer, config: Config): Promise<void> {
  const open = await openDescriptors();
  if (open === undefined) return;
  balancer.openDescriptors = open - config.servers.size * balancer.workers.options.count;
}

/**
 * Opens the API, if there shall be one. After a takeover the old process serves no longer, so this one goes on without.
 * @throws StartError; then nothing is left behind.
 */
async function openApi(
  balancer: Balancer,
  { api: spec }: Config,
  setup: ApiSetup,
  hasTakenOver: boolean,
): Promise<void> {
  try {
    balancer.api = spec && await startApi(spec, setup, hasTakenOver ? LEFT_MS : 0);
  } catch (error) {
    if (!hasTakenOver) {
      await end(balancer);
      throw error;
    }
    setup.log.error("the API can't listen; mend what is in its way, then reload", {
      why: messageOf(error),
    });
  }
}

/** A server that can't listen and stands in no file that people wrote: says where it comes from. */
function overlayNamed(error: unknown, configuration: Configuration): unknown {
  if (!(error instanceof StartError)) return error;
  const names = Object.entries(configuration.overlay().servers)
    .filter(([name, section]) => section !== null && error.message.includes(`server "${name}" `))
    .map(([name]) => name);
  if (names.length === 0) return error;
  const hint = `the API has added ${names.join(", ")}: take it out of the state file to do without`;
  return new StartError(error.message, `${error.hint}; ${hint}`);
}

function workerCount(config: Config, quotaCores: number | undefined): number {
  const cores = Math.min(navigator.hardwareConcurrency, quotaCores ?? Infinity);
  // elsewhere the system hands all connections to one of the listeners that share a port
  const spreads = Deno.build.os === "linux" || Deno.build.os === "android";
  return Math.min(MAX_WORKERS, config.process.workers ?? (spreads ? cores : 1));
}

function namesOf(log: Log): Names {
  return new Names({
    lookup,
    clock: systemClock,
    random: Math.random,
    onFailures: (failed) =>
      log.warning("backends' names can't be resolved; they are tried again and again", failed),
  });
}
