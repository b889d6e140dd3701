import type { PoolTable, ServerTable } from "./model.ts";

/** Whoever leads clients to backends, as the control plane sees it: workers, the kernel, or both. */
export type DataPlane = {
  /** Isolates among which a server's limits are divided. */
  readonly isolates: number;
  /** The version of the last message. */
  readonly version: number;
  /** The version that everybody uses; slots which only older tables name are free. */
  seen(): number;
  /** Sends a pool's table. Returns its version. */
  setPool(table: PoolTable): number;
  /** Makes everybody forget a pool. Returns the version from which on nobody knows it. */
  forgetPool(name: string): number;
  /** Serves, or changes how it does. @throws StartError when it can't. */
  serve(table: ServerTable): Promise<void>;
  /** Takes no new clients of a server; its sessions end at once with `abort`. */
  stop(server: string, abort: boolean): Promise<void>;
  /** Ends sessions on these backends; unless `all`, only of servers with `on_remove = "close"`. */
  cut(slots: readonly number[], all: boolean): void;
  /** Resolves when everybody uses what was sent, or after so long. */
  settled(limitMs: number): Promise<void>;
};
