import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";

/** A drain, as far as whoever waits for its end wants to know. */
export type Drain = {
  /** Sessions that are open now. */
  open(): number;
  /** How long they may take in all; undefined: as long as they like. */
  readonly limitMs?: number | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** Gets the same as one line of text. */
  status(text: string): void;
};

const OFTEN_MS = 1_000;
const SELDOM_MS = 60_000;
/** A drain without a limit may take days: from here on it is told of seldom. */
const OFTEN_UNTIL_MS = 60_000;

/**
 * Logs `stopping` once a second while sessions are open; without a limit once a minute after the first minute.
 * Settles when `signal` aborts.
 */
export async function tellProgress(drain: Drain, signal: AbortSignal): Promise<void> {
  const { clock, log, limitMs } = drain;
  const since = clock.now();
  for (;;) {
    const seldom = limitMs === undefined && clock.now() - since >= OFTEN_UNTIL_MS;
    await clock.sleep(seldom ? SELDOM_MS : OFTEN_MS, signal);
    if (signal.aborted) return;
    const open = drain.open();
    if (open === 0) continue;
    const left = limitMs === undefined
      ? undefined
      : Math.max(0, Math.round(limitMs - (clock.now() - since)));
    log.info("stopping", left === undefined ? { open } : { open, left_ms: left });
    drain.status(drainStatus(open, left));
  }
}

/** What the service manager shows while sessions finish. */
export function drainStatus(open: number, leftMs?: number): string {
  const text = `stopping: ${open} ${open === 1 ? "session" : "sessions"} open`;
  return leftMs === undefined ? text : `${text}, ${Math.ceil(leftMs / 1_000)} s left`;
}
