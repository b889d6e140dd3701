import type { DataPlane } from "./data_plane.ts";
import type { Forwarder } from "./kernel/forwarder.ts";
import type { PoolTable, ServerTable } from "./model.ts";
import type { Workers } from "./workers.ts";

/**
 * The workers and the kernel as one data plane. Pools are known to both; a server is either's, as its `forward` says, and
 * when that changes the new one serves before the old one stops.
 */
export class Planes implements DataPlane {
  readonly #forwarded = new Map<string, boolean>();

  /** Starts neither. */
  constructor(readonly workers: Workers, readonly kernel: Forwarder) {}

  /** The kernel divides nothing. */
  get isolates(): number {
    return this.workers.isolates;
  }

  /** The workers': the kernel is up to date or not. */
  get version(): number {
    return this.workers.version;
  }

  /** Nothing while the kernel still counts for tables of before. */
  seen(): number {
    return this.kernel.upToDate ? this.workers.seen() : -1;
  }

  /** Tells both. */
  setPool(table: PoolTable): number {
    this.kernel.setPool(table);
    return this.workers.setPool(table);
  }

  /** Tells both. */
  forgetPool(name: string): number {
    this.kernel.forgetPool(name);
    return this.workers.forgetPool(name);
  }

  /** Serves where it shall be served. @throws StartError when the one whose server it is can't serve. */
  async serve(table: ServerTable): Promise<void> {
    const forwarded = table.forward !== undefined;
    await (forwarded ? this.kernel : this.workers).serve(table);
    const before = this.#forwarded.get(table.name);
    this.#forwarded.set(table.name, forwarded);
    if (before === undefined || before === forwarded) return;
    await (before ? this.kernel : this.workers).stop(table.name, false);
  }

  /** Stops it where it is served. */
  async stop(server: string, abort: boolean): Promise<void> {
    const forwarded = this.#forwarded.get(server) === true;
    this.#forwarded.delete(server);
    await (forwarded ? this.kernel : this.workers).stop(server, abort);
  }

  /** Tells both. */
  cut(slots: readonly number[], all: boolean): void {
    this.workers.cut(slots, all);
    this.kernel.cut(slots, all);
  }

  /** Both of them. */
  async settled(limitMs: number): Promise<void> {
    await Promise.all([this.workers.settled(limitMs), this.kernel.settled(limitMs)]);
  }

  /** Takes no new clients. Resolves when the last session has ended. */
  async drain(): Promise<void> {
    await Promise.all([this.workers.drain(), this.kernel.drain()]);
  }

  /** Ends all sessions and workers, and takes the rules out of the kernel. */
  async end(): Promise<void> {
    this.workers.end();
    await this.kernel.end();
  }
}
