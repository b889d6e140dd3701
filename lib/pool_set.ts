import type { DataPlane } from "./data_plane.ts";
import { StartError } from "./errors.ts";
import type { PoolSpec } from "./model.ts";
import type { PoolStatus } from "./status.ts";
import type { Overlay } from "./overlay.ts";
import { Pool } from "./pool.ts";
import type { PoolOptions } from "./pool_options.ts";
import type { DownBackends } from "./state.ts";

/** What running pools work with. */
export type PoolSetOptions = Omit<PoolOptions, "onTable" | "onLeave"> & {
  readonly plane: DataPlane;
};

/** How long a start or a reload waits for backends. */
const FIRST_BACKENDS_MS = 250;
/** How long a process that takes over waits for all backends and their addresses. */
const ALL_BACKENDS_MS = 7_000;

/** The running pools by name. */
export class PoolSet {
  readonly #pools = new Map<string, Pool>();
  #adjustments: Overlay["backends"] = {};

  /** Runs none yet. */
  constructor(readonly options: PoolSetOptions) {}

  /** A pool and its backends now, or undefined when there is no such pool. */
  status(name: string): PoolStatus | undefined {
    const pool = this.#pools.get(name);
    if (pool === undefined) return undefined;
    const { spec: { strategy }, sources } = pool;
    return { name, strategy, sources, backends: pool.status() };
  }

  /** Does what operators want of backends, by pool, now and when they come back. */
  adjust(backends: Overlay["backends"]): void {
    this.#adjustments = backends;
    for (const [name, pool] of this.#pools) pool.adjust(backends[name] ?? {});
  }

  /** The backends that are down, by pool. */
  down(): DownBackends {
    const pools = [...this.#pools].map(([name, pool]) => [name, pool.down()] as const);
    return Object.fromEntries(pools.filter(([, keys]) => keys.length > 0));
  }

  /** Takes these for down, unless their own checks have had a result. */
  believe(down: DownBackends): void {
    for (const [name, keys] of Object.entries(down)) this.#pools.get(name)?.believe(keys);
  }

  /** Ends an interval of all rates, and forgets backends that nobody uses any more. */
  sample(nowMs: number): void {
    for (const pool of this.#pools.values()) pool.sample(nowMs);
  }

  /** Ends all checks, for a process that takes no new sessions. */
  endChecks(): void {
    for (const pool of this.#pools.values()) pool.endChecks();
  }

  /**
   * Starts new pools, all of them or none, and waits a little for their backends.
   *
   * @param patient A process that takes over needs what the old one has: it waits longer, and doesn't go on without.
   * @throws StartError
   */
  async start(specs: readonly PoolSpec[], patient = false): Promise<void> {
    const started: Pool[] = [];
    try {
      for (const spec of specs) started.push(this.#start(spec));
      if (patient) await this.#allBackends(started);
      else await this.#firstBackends(started);
    } catch (error) {
      this.remove(started.map(({ spec }) => spec.name));
      throw error;
    }
  }

  /** Gives running pools changed specs, and waits a little for their backends. */
  async change(specs: readonly PoolSpec[]): Promise<void> {
    const changed = specs.map((spec) => {
      const pool = this.#pools.get(spec.name)!;
      pool.update(spec);
      return pool;
    });
    if (changed.length > 0) await this.#firstBackends(changed);
  }

  /** Stops pools, in workers as well. */
  remove(names: readonly string[]): void {
    for (const name of names) {
      this.#pools.get(name)?.stop(this.options.plane.forgetPool(name));
      this.#pools.delete(name);
    }
  }

  /** Ends all discoveries and checks; workers go on with what they have. */
  stop(): void {
    for (const pool of this.#pools.values()) pool.stop(this.options.plane.version);
    this.#pools.clear();
  }

  #start(spec: PoolSpec): Pool {
    const { plane, slots } = this.options;
    const pool = new Pool(spec, slots.needed(), {
      ...this.options,
      onTable: (table) => plane.setPool(table),
      onLeave: (slots, drained) => plane.cut(slots, drained),
    }, this.#adjustments[spec.name]);
    this.#pools.set(spec.name, pool);
    return pool;
  }

  async #firstBackends(pools: readonly Pool[]): Promise<void> {
    const enough = new AbortController();
    const ready = Promise.all(pools.map((pool) => pool.ready));
    await Promise.race([ready, this.options.clock.sleep(FIRST_BACKENDS_MS, enough.signal)]);
    enough.abort();
  }

  async #allBackends(pools: readonly Pool[]): Promise<void> {
    const { clock } = this.options;
    const end = clock.now() + ALL_BACKENDS_MS;
    while (clock.now() < end && !pools.every((pool) => pool.settled)) await clock.sleep(10);
    const unknown = pools.filter((pool) => !pool.answered).map(({ spec: { name } }) => `"${name}"`);
    if (unknown.length === 0) return;
    throw new StartError(
      `the backends of ${unknown.join(", ")} can't be found; the running process knows some`,
      "mend the discovery, then take over",
    );
  }
}
