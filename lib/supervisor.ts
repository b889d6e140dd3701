import { messageOf } from "./errors.ts";
import { portKey, printHostPort } from "./address.ts";
import { keyWidth } from "./client_key.ts";
import { type Changes, type ConfigDiff, diffConfigs, summarize } from "./config/diff.ts";
import type { Config, ServerSpec, ServerTable } from "./model.ts";
import type { PoolStatus, ServerStatus } from "./status.ts";
import type { Overlay } from "./overlay.ts";
import { probeAll } from "./net/probe.ts";
import { poolsOf } from "./routes.ts";
import { PoolSet, type PoolSetOptions } from "./pool_set.ts";
import { filesOf, type Secured, ServerCertificates } from "./server_certificates.ts";
import { GUARDED, PROCESS_SLOT, UNFINISHED } from "./stats/layout.ts";
import { RefusalLog } from "./refusal_log.ts";
import { dropsOf } from "./stats/drops.ts";
import { refusalsOf } from "./stats/refusals.ts";
import { Meter } from "./stats/meter.ts";
import type { DownBackends } from "./state.ts";

/** What the supervisor works with. */
export type SupervisorOptions = PoolSetOptions;

/** A server that listens. */
type Running = {
  readonly table: ServerTable;
  readonly spec: ServerSpec;
  readonly meter: Meter;
  readonly refusals: RefusalLog;
};

/** How a configuration is put into force. */
export type ApplyOptions = {
  /** A server whose sessions end with it, where it is removed. */
  readonly cut?: string;
  /** Another process listens on these ports (`portKey()`), or on any, which this one shall share. */
  readonly beside?: ReadonlySet<string> | "any";
};

/** How long a change waits for workers to use it. */
const SEEN_MS = 250;

/**
 * Servers and pools by name. Applies configurations: what is equal isn't touched, what is new listens before
 * what is old closes, and what can't be done changes nothing.
 */
export class Supervisor {
  readonly #servers = new Map<string, Running>();
  readonly #pools: PoolSet;
  readonly #certificates: ServerCertificates;
  #config: Config;
  #turn: Promise<unknown> = Promise.resolve();

  /** `empty` is a configuration without servers, in force until {@link apply}. */
  constructor(empty: Config, readonly options: SupervisorOptions) {
    this.#config = empty;
    this.#pools = new PoolSet(options);
    const { log, wallTime, plane } = options;
    this.#certificates = new ServerCertificates({ log, wallTime, workers: plane.isolates });
  }

  /** The configuration in force. */
  config(): Config {
    return this.#config;
  }

  /** Sessions that are open now, of all servers. */
  open(): number {
    const { counters } = this.options;
    const halves = [...this.#servers.values()].filter(({ spec }) => spec.protocol === "udp")
      .map(({ table }) => Math.floor(counters.active(table.slot) / 2)); // two have one place
    return halves.reduce((sum, half) => sum + half, counters.active(PROCESS_SLOT));
  }

  /** A server's counters now, or undefined when there is no such server. */
  status(name: string): ServerStatus | undefined {
    const server = this.#servers.get(name);
    if (server === undefined) return undefined;
    const { spec, table: { slot } } = server;
    const names = spec.pool === undefined ? poolsOf(spec) : [spec.pool];
    const { counters } = this.options;
    return {
      name,
      traffic: server.meter.read(),
      refusals: refusalsOf(counters, slot),
      unfinishedHandshakes: counters.sum(slot, UNFINISHED),
      guardedWorkers: counters.sum(slot, GUARDED),
      ...spec.protocol === "udp" ? { drops: dropsOf(counters, slot) } : {},
      backends: names.flatMap((pool) => this.#pools.status(pool)?.backends ?? []),
    };
  }

  /** A pool and its backends now, or undefined when there is no such pool. */
  pool(name: string): PoolStatus | undefined {
    return this.#pools.status(name);
  }

  /** Does what operators want of backends, by pool; in all workers when this resolves. */
  async adjust(backends: Overlay["backends"]): Promise<void> {
    this.#pools.adjust(backends);
    await this.#seen();
  }

  /** Names and real addresses of the servers that listen. */
  listening(): { readonly name: string; readonly hostname: string; readonly port: number }[] {
    return [...this.#servers.values()].map(({ table: { name, hostname, port } }) => ({
      name,
      hostname,
      port,
    }));
  }

  /**
   * Puts a configuration into force, after all that were asked for before. Says what changed.
   *
   * @throws StartError when a new server can't listen; then nothing has changed.
   */
  apply(config: Config, how: ApplyOptions = {}): Promise<Changes> {
    const applied = this.#turn.then(() => this.#apply(config, how));
    this.#turn = applied.catch(() => {}); // whoever asked handles it
    return applied;
  }

  /** The files of all certificates and keys. */
  certificateFiles(): string[] {
    return filesOf(this.#servers.values());
  }

  /**
   * Reads all certificates anew; workers use what has changed from the next handshake on. What can't be used is logged,
   * and the old ones stay: then it is false.
   */
  renewCertificates(signal?: AbortSignal): Promise<boolean> {
    const renewed = this.#turn.then(() => this.#renew(this.#servers.values(), signal));
    this.#turn = renewed.catch(() => {}); // whoever asked handles it
    return renewed;
  }

  #renew(servers: Iterable<Running>, signal?: AbortSignal): Promise<boolean> {
    const use = (running: Running, secured: Secured) => this.#useCertificates(running, secured);
    return this.#certificates.renewAll([...servers], use, signal);
  }

  async #useCertificates(running: Running, secured: Secured): Promise<boolean> {
    const table = { ...running.table, ...secured };
    try {
      await this.options.plane.serve(table);
      this.#servers.set(table.name, { ...running, table });
      return true;
    } catch (error) {
      this.options.log.error("not every worker uses the new certificates", {
        server: table.name,
        why: messageOf(error),
      });
      return false;
    }
  }

  /** Ends an interval of all rates and frees what nobody uses any more. */
  sample(): void {
    const { clock, slots, plane } = this.options;
    const now = clock.now();
    for (const server of this.#servers.values()) {
      server.meter.sample(now);
      server.refusals.report();
    }
    this.#pools.sample(now);
    slots.sweep(plane.seen());
  }

  /** The backends that are down, by pool. */
  down(): DownBackends {
    return this.#pools.down();
  }

  /** Takes these for down, unless their own checks have had a result. */
  believe(down: DownBackends): void {
    this.#pools.believe(down);
  }

  /** Ends all checks, for a process that takes no new sessions. */
  endChecks(): void {
    this.#pools.endChecks();
  }

  /** Ends discoveries and checks. Sessions and listeners are the workers'. */
  stop(): void {
    this.#pools.stop();
  }

  async #apply(config: Config, { cut, beside }: ApplyOptions): Promise<Changes> {
    const diff = diffConfigs(this.#config, config);
    const shared = ({ protocol, bind: { port } }: ServerSpec) =>
      port > 0 && (beside === "any" || beside?.has(portKey(protocol, port))) ? port : undefined;
    const touched = [...diff.servers.added, ...diff.servers.changed];
    const ports = probeAll(touched, (spec) => this.#held(spec, diff) ?? shared(spec));
    const secured = await this.#certificates.readAll(touched, this.#servers);
    await this.#pools.start(diff.pools.added, beside !== undefined);
    await this.#listen(diff, ports, secured);
    await this.#pools.change(diff.pools.changed);
    for (const { name } of diff.servers.removed) await this.#stopServer(name, cut === name);
    this.#pools.remove(diff.pools.removed.map(({ name }) => name));
    await this.#renew([...this.#servers.values()].filter(({ spec }) => !secured.has(spec.name)));
    await this.#seen();
    this.#config = config;
    return summarize(diff);
  }

  /** Waits until the data plane uses what it was told: then what is reported as done is in effect. */
  #seen(): Promise<void> {
    return this.options.plane.settled(SEEN_MS);
  }

  /** The port of an address that this process listens on and that the server can take over. */
  #held(spec: ServerSpec, diff: ConfigDiff): number | undefined {
    const own = this.#servers.get(spec.name);
    if (own?.spec.bind.text === spec.bind.text && own.spec.protocol === spec.protocol) {
      return own.table.port;
    }
    const { bind: { hostname, port }, protocol } = spec;
    const other = [...this.#servers.values()].find(({ table }) =>
      table.hostname === hostname && table.port === port && table.protocol === protocol
    );
    const leaves = [...diff.servers.removed, ...diff.servers.changed];
    return leaves.some(({ name }) => name === other?.table.name) ? other?.table.port : undefined;
  }

  /** Opens what is new and changes what is changed; undoes it all when one of them fails. */
  async #listen(
    diff: ConfigDiff,
    ports: Map<string, number>,
    secured: ReadonlyMap<string, Secured>,
  ): Promise<void> {
    const before = new Map(this.#servers);
    const touched: string[] = [];
    try {
      for (const spec of [...diff.servers.added, ...diff.servers.changed]) {
        touched.push(spec.name);
        await this.#serve(spec, ports.get(spec.name)!, secured.get(spec.name)!);
      }
    } catch (error) {
      for (const name of touched) if (!before.has(name)) await this.#stopServer(name);
      for (const [name, running] of before) await this.#restore(name, running);
      this.#pools.remove(diff.pools.added.map(({ name }) => name));
      throw error;
    }
  }

  async #serve(spec: ServerSpec, port: number, secured: Secured): Promise<void> {
    const { bind, tls: _tls, backendsTls: _backendsTls, ...rest } = spec;
    const running = this.#servers.get(spec.name);
    const slot = running?.table.slot ?? this.options.slots.needed();
    const { hostname } = bind;
    const table: ServerTable = {
      ...rest,
      ...secured,
      ...{ slot, hostname, port, keyWidth: keyWidth(bind) },
    };
    const { clock, counters, log } = this.options;
    const meter = running?.meter ?? new Meter(counters, slot, clock.now());
    const refusals = running?.refusals ?? new RefusalLog(spec.name, slot, counters, log);
    this.#servers.set(spec.name, { table, spec, meter, refusals });
    await this.options.plane.serve(table);
    if (running?.table.port === port && running.table.hostname === hostname) return;
    const address = printHostPort(hostname, port);
    const forward = spec.forward === undefined ? {} : { forward: "kernel" };
    log.info("listening", { server: spec.name, address, ...forward });
  }

  async #restore(name: string, running: Running): Promise<void> {
    this.#servers.set(name, running);
    await this.options.plane.serve(running.table).catch(() => {}); // it listened a moment ago
  }

  async #stopServer(name: string, abort = false): Promise<void> {
    const server = this.#servers.get(name);
    if (server === undefined) return;
    this.#servers.delete(name);
    this.#certificates.forget(name);
    await this.options.plane.stop(name, abort);
    this.options.slots.give(server.table.slot, this.options.plane.version);
  }
}
