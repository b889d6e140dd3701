import { isIP } from "node:net";
import { type Backend, backendKey, type Member, type PoolSpec, type PoolTable } from "./model.ts";
import type { BackendStatus, SourceStatus } from "./status.ts";
import type { BackendOverlay } from "./overlay.ts";
import { PoolMember } from "./pool_member.ts";
import type { PoolOptions } from "./pool_options.ts";
import { PoolSources } from "./pool_sources.ts";
import { Skips } from "./skips.ts";
import { SLOTS } from "./stats/layout.ts";

/** What operators want of backends, by `host:port`. */
export type Adjustments = Readonly<Record<string, BackendOverlay>>;

/** A backend that the pool should have, and where it is. */
type Wanted = { readonly backend: Backend; readonly address: string | undefined };

/**
 * A running pool: asks its discoveries, resolves names, checks backends, and tells workers when its table
 * has changed. Stopping it ends all of that.
 */
export class Pool {
  readonly #members = new Map<string, PoolMember>();
  readonly #watched = new Set<string>();
  readonly #sources: PoolSources;
  #adjustments: Adjustments;
  readonly #full = new Skips();
  readonly #memberOptions: PoolOptions;
  /** One of its backends is live; undefined before the first was. */
  #served: boolean | undefined;
  #sent = "";
  #version = 0;
  readonly #onChange = () => this.#refresh();

  /** Starts discovery at once. `slot` is its place in the shared counters; {@link stop} gives it back. */
  constructor(
    public spec: PoolSpec,
    readonly slot: number,
    readonly options: PoolOptions,
    adjustments: Adjustments = {},
  ) {
    this.#adjustments = adjustments;
    const onChange = () => this.#refresh();
    this.#memberOptions = { ...options, onHealth: () => this.#onHealth() };
    this.#sources = new PoolSources({ ...options, pool: spec.name, onChange });
    this.#sources.start(spec.discoveries);
    this.#refresh();
  }

  /** Resolves when every source has answered or failed once since it was started or changed. */
  get ready(): Promise<unknown> {
    return this.#sources.ready;
  }

  /** Has every source answered at least once? */
  get answered(): boolean {
    return this.#sources.answered;
  }

  /** Does it know all of its backends, and their addresses? */
  get settled(): boolean {
    return this.answered &&
      this.#members.values().every(({ address }) => address !== undefined);
  }

  /** Does what operators want of its backends, now and when they come back. */
  adjust(adjustments: Adjustments): void {
    this.#adjustments = adjustments;
    for (const [key, member] of this.#members) member.adjust(adjustments[key]);
    this.#refresh();
  }

  /** Takes over a changed spec: what stays the same is not started anew. */
  update(spec: PoolSpec): void {
    const before = this.spec;
    this.spec = spec;
    if (!same(before.discoveries, spec.discoveries)) this.#sources.start(spec.discoveries);
    if (!same(before.check, spec.check)) {
      for (const member of this.#members.values()) {
        if (member.discovered) member.startChecks(spec.check);
      }
    }
    this.#refresh();
  }

  /** What workers need of it. */
  table(): PoolTable {
    const members = [...this.#members.values()]
      .filter((member) => member.discovered)
      .map((member) => member.member())
      .filter((member): member is Member => member !== undefined);
    return { name: this.spec.name, slot: this.slot, strategy: this.spec.strategy, members };
  }

  /** The backends that its checks have taken down, as `host:port`. */
  down(): string[] {
    return [...this.#members].filter(([, member]) => member.down).map(([key]) => key);
  }

  /** Takes these for down, unless their own checks have had a result. */
  believe(down: readonly string[]): void {
    if (this.spec.check === undefined) return;
    for (const key of down) this.#members.get(key)?.believeDown();
  }

  /** Ends all checks: backends stay what they are, and new ones count as live. */
  endChecks(): void {
    this.spec = { ...this.spec, check: undefined };
    for (const member of this.#members.values()) member.stopChecks();
  }

  /** Its backends, those that are leaving included. */
  status(): BackendStatus[] {
    return [...this.#members.values()].map((member) => member.status());
  }

  /** Its discoveries, and how they do. */
  get sources(): SourceStatus[] {
    return this.#sources.status();
  }

  /** Ends an interval of the rates, and forgets backends that have left and are no longer used. */
  sample(nowMs: number): void {
    for (const [key, member] of this.#members) {
      member.meter.sample(nowMs);
      if (!member.discovered && this.options.counters.active(member.slot) === 0) {
        this.#members.delete(key);
        member.stop();
        this.options.slots.give(member.slot, this.#version);
      }
    }
  }

  /**
   * Ends discovery and checks and gives its slots back.
   * @param version The version of tables in which no worker knows the pool any more.
   */
  stop(version: number): void {
    this.#sources.stop();
    for (const host of this.#watched) this.options.names.unwatch(host, this.#onChange);
    for (const member of this.#members.values()) {
      member.stop();
      this.options.slots.give(member.slot, version);
    }
    this.options.slots.give(this.slot, version);
  }

  /** Brings members in line with what sources and names say now, and tells if the table changed. */
  #refresh(): void {
    const wanted = this.#wanted();
    const left = [...this.#members].filter(([key, member]) =>
      member.discovered && !wanted.has(key)
    );
    for (const [, member] of left) {
      member.discovered = false;
      member.stopChecks();
    }
    for (const [key, want] of wanted) this.#want(key, want);
    this.#tellFull();
    this.#tellServed();
    const table = this.table();
    const text = JSON.stringify(table);
    if (text === this.#sent) return;
    this.#sent = text;
    this.#version = this.options.onTable(table);
    if (left.length > 0) this.options.onLeave(left.map(([, member]) => member.slot), false);
  }

  #onHealth(): void {
    this.options.onHealth?.();
    this.#tellServed();
  }

  /** Tells when the last live backend has gone, and when there is one again. */
  #tellServed(): void {
    const served = this.#members.values().some((member) => member.serves);
    const before = this.#served;
    if (served === (before ?? false)) return;
    this.#served = served;
    if (before === undefined) return;
    const { log } = this.options;
    const { name: pool } = this.spec;
    if (served) log.info("pool has live backends", { pool });
    else log.error("pool has no live backend: its clients are turned away", { pool });
  }

  /** Tells of backends that there was no room for. */
  #tellFull(): void {
    const skipped = this.#full.report();
    const { name } = this.spec;
    if (skipped) this.options.log.warning("backends were skipped", { pool: name, ...skipped });
  }

  /** What sources list, merged by key, with the addresses that names have now. */
  #wanted(): Map<string, Wanted> {
    const listed = this.#sources.backends();
    this.#watchNames([...listed.values()].map(({ host }) => host));
    const wanted = new Map<string, Wanted>();
    for (const backend of listed.values()) {
      for (const want of this.#located(backend)) {
        const key = backendKey(want.backend);
        if (wanted.size < SLOTS) wanted.set(key, want);
        else this.#full.add(key, "the table of counters is full");
      }
      if (wanted.size >= SLOTS) break; // names with hundreds of addresses under hundreds of ports
    }
    return wanted;
  }

  /** A name with several addresses is several backends, each under its address. */
  #located(backend: Backend): Wanted[] {
    if (isIP(backend.host) !== 0) return [{ backend, address: backend.host }];
    const addresses = this.options.names.addresses(backend.host) ?? [];
    if (addresses.length < 2) return [{ backend, address: addresses[0] }];
    const { host: name } = backend;
    return addresses.map((host) => ({ backend: { ...backend, host, name }, address: host }));
  }

  #watchNames(hosts: readonly string[]): void {
    const names = new Set(hosts.filter((host) => isIP(host) === 0));
    for (const host of this.#watched) {
      if (names.has(host)) continue;
      this.#watched.delete(host);
      this.options.names.unwatch(host, this.#onChange);
    }
    for (const host of names) {
      if (this.#watched.has(host)) continue;
      this.#watched.add(host);
      this.options.names.watch(host, this.#onChange);
    }
  }

  #want(key: string, { backend, address }: Wanted): void {
    const known = this.#members.get(key);
    const overlaid = this.#adjustments[key]?.weight !== undefined;
    if (overlaid && known?.backend.weight !== backend.weight) this.options.onDiscoveredWeight?.();
    if (known !== undefined) {
      const anew = !known.discovered || known.address !== address;
      Object.assign(known, { backend, address, discovered: true });
      if (anew) known.startChecks(this.spec.check);
      return;
    }
    const slot = this.options.slots.take();
    if (slot === undefined) return this.#full.add(key, "the table of counters is full");
    const { name, check } = this.spec;
    const leftDown = this.options.leftDown?.[name]?.includes(key) ?? false;
    const live = check === undefined || (check.initiallyLive && !leftDown);
    const member = new PoolMember(
      backend,
      address,
      slot,
      name,
      this.#memberOptions,
      live,
      this.#onChange,
    );
    this.#members.set(key, member);
    member.adjust(this.#adjustments[key]);
    member.startChecks(check);
  }
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
