import type { Clock } from "./clock.ts";
import { keyWidth } from "./client_key.ts";
import { type Changes, type ConfigDiff, diffConfigs, summarize } from "./config/diff.ts";
import { StartError } from "./errors.ts";
import type { Log } from "./log.ts";
import type {
  Config,
  PoolSpec,
  PoolStatus,
  ServerSpec,
  ServerStatus,
  ServerTable,
} from "./model.ts";
import type { Names } from "./net/names.ts";
import type { Overlay } from "./overlay.ts";
import { probe } from "./net/probe.ts";
import { Pool, type PoolOptions } from "./pool.ts";
import type { Counters } from "./stats/counters.ts";
import { refusalsOf } from "./stats/refusals.ts";
import { Meter } from "./stats/meter.ts";
import type { Slots } from "./stats/slots.ts";
import type { Workers } from "./workers.ts";

/** What the supervisor works with. */
export type SupervisorOptions = Omit<PoolOptions, "onTable" | "onLeave"> & {
  readonly workers: Workers;
  readonly counters: Counters;
  readonly slots: Slots;
  readonly names: Names;
  readonly clock: Clock;
  readonly log: Log;
};

/** A server that listens. */
type Running = {
  readonly table: ServerTable;
  readonly spec: ServerSpec;
  readonly meter: Meter;
  /** Refusals that the log has told of. */
  reported: number;
};

const NOBODY: ReadonlySet<string> = new Set();

/** How long a start or a reload waits for backends, and for workers to use them. */
const FIRST_BACKENDS_MS = 250;

/**
 * Servers and pools by name. Applies configurations: what is equal isn't touched, what is new listens before
 * what is old closes, and what can't be done changes nothing.
 */
export class Supervisor {
  readonly #servers = new Map<string, Running>();
  readonly #pools = new Map<string, Pool>();
  #config: Config;
  #adjustments: Overlay["backends"] = {};
  #turn: Promise<unknown> = Promise.resolve();

  /** `empty` is a configuration without servers, in force until {@link apply}. */
  constructor(empty: Config, readonly options: SupervisorOptions) {
    this.#config = empty;
  }

  /** The configuration in force. */
  config(): Config {
    return this.#config;
  }

  /** A server's counters now, or undefined when there is no such server. */
  status(name: string): ServerStatus | undefined {
    const server = this.#servers.get(name);
    if (server === undefined) return undefined;
    const backends = this.#pools.get(server.spec.pool)?.status() ?? [];
    const refusals = refusalsOf(this.options.counters, server.table.slot);
    return { name, traffic: server.meter.read(), refusals, backends };
  }

  /** A pool and its backends now, or undefined when there is no such pool. */
  pool(name: string): PoolStatus | undefined {
    const pool = this.#pools.get(name);
    if (pool === undefined) return undefined;
    return { name, strategy: pool.spec.strategy, backends: pool.status() };
  }

  /** Does what operators want of backends, by pool; in all workers when this resolves. */
  async adjust(backends: Overlay["backends"]): Promise<void> {
    this.#adjustments = backends;
    for (const [name, pool] of this.#pools) pool.adjust(backends[name] ?? {});
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
   * @param cut Servers whose sessions end with them, where they are removed.
   * @throws StartError when a new server can't listen; then nothing has changed.
   */
  apply(config: Config, cut: ReadonlySet<string> = NOBODY): Promise<Changes> {
    const applied = this.#turn.then(() => this.#apply(config, cut));
    this.#turn = applied.catch(() => {}); // whoever asked handles it
    return applied;
  }

  /** Ends an interval of all rates and frees what nobody uses any more. */
  sample(): void {
    const { clock, slots, workers } = this.options;
    const now = clock.now();
    for (const server of this.#servers.values()) {
      server.meter.sample(now);
      this.#reportRefusals(server);
    }
    for (const pool of this.#pools.values()) pool.sample(now);
    slots.sweep(workers.seen());
  }

  /** One line an interval, however many were refused. */
  #reportRefusals(server: Running): void {
    const { refused } = server.meter.read();
    const since = refused - server.reported;
    server.reported = refused;
    if (since === 0) return;
    this.options.log.warning("clients were refused", {
      server: server.spec.name,
      since_last: since,
      ...refusalsOf(this.options.counters, server.table.slot),
    });
  }

  /** Ends discoveries and checks. Sessions and listeners are the workers'. */
  stop(): void {
    for (const pool of this.#pools.values()) pool.stop(this.options.workers.version);
    this.#pools.clear();
  }

  async #apply(config: Config, cut: ReadonlySet<string>): Promise<Changes> {
    const diff = diffConfigs(this.#config, config);
    const ports = this.#probe(diff);
    const fresh = this.#startPools(diff.pools.added);
    await this.#firstBackends(fresh);
    await this.#listen(diff, ports, fresh);
    await this.#change(diff.pools.changed);
    for (const { name } of diff.servers.removed) await this.#stopServer(name, cut.has(name));
    for (const spec of diff.pools.removed) this.#stopPool(spec.name);
    await this.#seen();
    this.#config = config;
    return summarize(diff);
  }

  async #change(specs: readonly PoolSpec[]): Promise<void> {
    const changed = specs.map((spec) => {
      const pool = this.#pools.get(spec.name)!;
      pool.update(spec);
      return pool;
    });
    if (changed.length > 0) await this.#firstBackends(changed);
  }

  /** Waits until every worker uses what it was told: then what is reported as done is in effect. */
  async #seen(): Promise<void> {
    const { workers, clock } = this.options;
    const { version } = workers;
    const end = clock.now() + FIRST_BACKENDS_MS;
    while (workers.seen() < version && clock.now() < end) await clock.sleep(2);
  }

  /** Checks all new addresses before anything changes. Returns their ports by server. */
  #probe(diff: ConfigDiff): Map<string, number> {
    const ports = new Map<string, number>();
    const failures: StartError[] = [];
    for (const spec of [...diff.servers.added, ...diff.servers.changed]) {
      const held = this.#held(spec, diff);
      try {
        ports.set(spec.name, held ?? probe(spec.bind, `server "${spec.name}"`));
      } catch (error) {
        if (!(error instanceof StartError)) throw error;
        failures.push(error);
      }
    }
    if (failures.length === 1) throw failures[0]!;
    if (failures.length > 1) {
      const lines = failures.map((failure) => `${failure.message} (${failure.hint})`);
      throw new StartError(lines.join("\n       "), "nothing has been changed");
    }
    return ports;
  }

  /** The port of an address that this process listens on and that the server can take over. */
  #held(spec: ServerSpec, diff: ConfigDiff): number | undefined {
    const own = this.#servers.get(spec.name);
    if (own?.spec.bind.text === spec.bind.text) return own.table.port;
    const { hostname, port } = spec.bind;
    const other = [...this.#servers.values()].find(({ table }) =>
      table.hostname === hostname && table.port === port
    );
    const leaves = [...diff.servers.removed, ...diff.servers.changed];
    return leaves.some(({ name }) => name === other?.table.name) ? other?.table.port : undefined;
  }

  /** All of them or, when the counters have no room, none. */
  #startPools(specs: readonly PoolSpec[]): Pool[] {
    const started: Pool[] = [];
    try {
      for (const spec of specs) started.push(this.#startPool(spec));
      return started;
    } catch (error) {
      for (const pool of started) this.#stopPool(pool.spec.name);
      throw error;
    }
  }

  #startPool(spec: PoolSpec): Pool {
    const { workers } = this.options;
    const pool = new Pool(spec, this.#takeSlot(), {
      ...this.options,
      onTable: (table) => workers.setPool(table),
      onLeave: (slots, drained) => workers.cut(slots, drained),
    }, this.#adjustments[spec.name]);
    this.#pools.set(spec.name, pool);
    return pool;
  }

  #stopPool(name: string): void {
    this.#pools.get(name)?.stop(this.options.workers.forgetPool(name));
    this.#pools.delete(name);
  }

  async #firstBackends(pools: readonly Pool[]): Promise<void> {
    const enough = new AbortController();
    const ready = Promise.all(pools.map((pool) => pool.ready));
    await Promise.race([ready, this.options.clock.sleep(FIRST_BACKENDS_MS, enough.signal)]);
    enough.abort();
  }

  /** Opens what is new and changes what is changed; undoes it all when one of them fails. */
  async #listen(
    diff: ConfigDiff,
    ports: Map<string, number>,
    fresh: readonly Pool[],
  ): Promise<void> {
    const before = new Map(this.#servers);
    const touched: string[] = [];
    try {
      for (const spec of [...diff.servers.added, ...diff.servers.changed]) {
        touched.push(spec.name);
        await this.#serve(spec, ports.get(spec.name)!);
      }
    } catch (error) {
      for (const name of touched) if (!before.has(name)) await this.#stopServer(name);
      for (const [name, running] of before) await this.#restore(name, running);
      for (const pool of fresh) this.#stopPool(pool.spec.name);
      throw error;
    }
  }

  async #serve(spec: ServerSpec, port: number): Promise<void> {
    const { bind, ...rest } = spec;
    const running = this.#servers.get(spec.name);
    const slot = running?.table.slot ?? this.#takeSlot();
    const { hostname } = bind;
    const table: ServerTable = { ...rest, slot, hostname, port, keyWidth: keyWidth(bind) };
    const meter = running?.meter ??
      new Meter(this.options.counters, slot, this.options.clock.now());
    this.#servers.set(spec.name, { table, spec, meter, reported: running?.reported ?? 0 });
    await this.options.workers.serve(table);
  }

  async #restore(name: string, running: Running): Promise<void> {
    this.#servers.set(name, running);
    await this.options.workers.serve(running.table).catch(() => {}); // it listened a moment ago
  }

  async #stopServer(name: string, abort = false): Promise<void> {
    const server = this.#servers.get(name);
    if (server === undefined) return;
    this.#servers.delete(name);
    await this.options.workers.stop(name, abort);
    this.options.slots.give(server.table.slot, this.options.workers.version);
  }

  #takeSlot(): number {
    const slot = this.options.slots.take();
    if (slot !== undefined) return slot;
    throw new StartError("the table of counters is full", "use fewer servers, pools or backends");
  }
}
