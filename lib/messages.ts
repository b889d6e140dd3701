/** What control plane and workers say to each other. Nothing here is sent for a connection. */
import type { PoolTable, ServerTable } from "./model.ts";

/** What a worker needs before anything else. */
export type WorkerSetup = {
  /** The shared counters, how many workers they have room for, and this one's row. */
  readonly counters: SharedArrayBuffer;
  readonly workers: number;
  readonly index: number;
  /** Bytes that this worker's large buffers may take. */
  readonly bufferBudget: number;
  readonly debug: boolean;
};

/** From the control plane; worked through in order. */
export type ToWorker =
  | { readonly kind: "setup"; readonly setup: WorkerSetup }
  /** A pool's new table, before the servers that lead to it. */
  | { readonly kind: "pool"; readonly pool: PoolTable }
  | { readonly kind: "forget"; readonly pool: string }
  /** Listen, or change what a listening server does. Answered by `listening` or `failed`. */
  | { readonly kind: "serve"; readonly server: ServerTable }
  /** Close a server's listener. Its sessions go on, unless `abort`. Answered by `stopped`. */
  | { readonly kind: "stop"; readonly server: string; readonly abort: boolean }
  /** Close the sessions on these backends; unless `all`, only of servers with `on_remove = "close"`. */
  | { readonly kind: "cut"; readonly slots: readonly number[]; readonly all: boolean }
  /** Close all listeners; answered by `drained` when the last session has ended. */
  | { readonly kind: "drain" }
  /** Close everything now. */
  | { readonly kind: "abort" }
  /** Everything up to here has been sent: note the version as seen. */
  | { readonly kind: "version"; readonly version: number }
  /** Test hook: die of an uncaught error, or never come back. */
  | { readonly kind: "fault"; readonly fault: "die" | "hang" };

/** From a worker. */
export type FromWorker =
  | { readonly kind: "ready" }
  | { readonly kind: "listening"; readonly server: string }
  | { readonly kind: "failed"; readonly server: string; readonly why: string }
  | { readonly kind: "stopped"; readonly server: string }
  | { readonly kind: "drained" }
  | {
    readonly kind: "log";
    readonly level: "debug" | "info" | "warning" | "error";
    readonly message: string;
    readonly fields: Readonly<Record<string, unknown>>;
  };
