import type { Lru } from "../lib/lru.ts";
import type { Counters } from "../lib/stats/counters.ts";
import type { Buffers } from "./buffers.ts";
import type { Sessions } from "./sessions.ts";
import type { Ticker } from "./ticker.ts";

/** Severity of a worker's log line; the control plane writes it. */
export type WorkerLogLevel = "debug" | "info" | "warning" | "error";

/** Tells the control plane; the number of lines a second is limited, what is over is counted. */
export type WorkerLog = (
  level: WorkerLogLevel,
  message: string,
  fields: Readonly<Record<string, unknown>>,
) => void;

/** What all servers of one worker share. */
export type Context = {
  readonly counters: Counters;
  readonly ticker: Ticker;
  readonly buffers: Buffers;
  readonly sessions: Sessions;
  /** Clients' certificates that have passed in this worker, by their SHA-256: its servers share TLS sessions, too. */
  readonly verified: Lru<string, true>;
  readonly log: WorkerLog;
  /** Are debug lines wanted? Asked before one is put together. */
  readonly debug: boolean;
};
