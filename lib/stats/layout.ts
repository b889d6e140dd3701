/**
 * Every cell of the shared buffer.
 *
 * ```text
 * header   Int32    per worker: heartbeat, version of the last table it has seen
 * shared   Int32    per slot: flags, active, turn           written by everybody, through Atomics
 * rows     Float64  per worker, per slot: CELLS counters    one writer each, no Atomics
 * ```
 *
 * A slot belongs to a server, a pool or a backend; slot 0 is the process as a whole. The buffer has its
 * full size from the start: the system commits a page only when it is first written, so unused slots
 * cost nothing, views stay valid for ever, and nothing has to be handed over when backends come.
 */

/** Servers, pools and backends together, the process's own slot included. */
export const SLOTS = 32_768;
/** Workers that a buffer has room for. */
export const MAX_WORKERS = 64;
/** The slot of the process as a whole: its sessions are all sessions. */
export const PROCESS_SLOT = 0;

/** Int32 cells of one worker in the header. */
export const HEADER_CELLS = 2;
/** Counts up with every tick of the worker. */
export const HEARTBEAT = 0;
/** The version of the last message that the worker has worked through. */
export const SEEN = 1;

/** Int32 cells of one slot that all isolates share. */
export const SHARED_CELLS = 8;
/** Why nobody may choose this backend: a set of `DOWN`, `DRAINING`, `EJECTED`; 0 is usable. */
export const FLAGS = 0;
/** Sessions now, over all workers. */
export const ACTIVE_NOW = 1;
/** The cursor of round robin. */
export const TURN = 2;
/** Bytes a second, both directions, as the control plane has measured them last; at most 2^31 - 1. */
export const RATE = 4;
/** `ACTIVE_NOW` at that time. */
export const ACTIVE_THEN = 5;
/** Of the process's slot: sessions that it may have; 0 is no limit. */
export const CAPACITY = 3;

/** Its checks say that it doesn't work. */
export const DOWN = 1;
/** An operator wants no new sessions on it. */
export const DRAINING = 2;
/** It failed too often lately. */
export const EJECTED = 4;

/** Float64 cells of one slot in a worker's row. */
export const CELLS = 28;
/** The row's share of `ACTIVE_NOW`: taken off it again if the worker dies. */
export const ACTIVE = 0;
/** Sessions ever. */
export const TOTAL = 1;
/** Backend: dials that failed. Server: clients turned away, for whatever reason. */
export const REFUSED = 2;
/** Bytes from backend to client. */
export const RX = 3;
/** Bytes from client to backend. */
export const TX = 4;
/** Server: turned away because the process is at its limit of sessions. */
export const OVER_CAPACITY = 5;
/** Server: turned away because the server is at its `max_connections`. */
export const OVER_LIMIT = 6;
/** Server: turned away by the access rules. */
export const DENIED = 7;
/** Server: turned away because no backend could be had. */
export const NO_BACKEND = 8;
/** Server: accepts that failed. */
export const ACCEPT_ERRORS = 9;
/** Server: sessions ended because they were silent for too long. */
export const TIMED_OUT = 10;
/** Backend: dials that ran into their time limit (part of `REFUSED`). */
export const DIAL_TIMEOUTS = 11;
/** Backend: sessions that it reset. */
export const RESETS = 12;
/** Server: dials that went to another backend after a first one failed. */
export const RETRIES = 13;
/** Server: turned away because only known proxies may connect. */
export const UNKNOWN_PROXY = 11;
/** Server: turned away because a proxy's header was wrong, or didn't come in time. */
export const BAD_PROXY_HEADER = 12;
/** Server: turned away because their TLS handshake failed. */
export const HANDSHAKE_FAILED = 16;
/** Server: turned away because their TLS handshake took too long. */
export const HANDSHAKE_TIMED_OUT = 17;
/** Server: turned away because too many TLS handshakes weren't finished. */
export const OVER_UNFINISHED = 18;
/** Server: TLS handshakes that aren't over now, those of clients that were turned away included. */
export const UNFINISHED = 19;
/** Server: turned away because of their certificates: there was none, or not a good one, or nobody's who is allowed. */
export const BAD_CLIENT_CERTIFICATE = 14;
/** Process: buffers that could not grow because the budget was used up. */
export const BUFFER_DENIED = 14;
/** Process: lines that a worker did not log because there were too many. */
export const LOG_DROPPED = 15;
/** Server: turned away because no route, or no backend's `sni`, takes such clients. */
export const NO_ROUTE = 20;
/** Server: turned away because the hello was none, or was broken off. */
export const BAD_HELLO = 21;
/** Server: turned away because the hello didn't come in time. */
export const HELLO_TIMEOUT = 22;
/** Server: workers that guard its TLS against silent clients now. */
export const GUARDED = 23;
/** Server: datagrams dropped because they were too long, in either direction. */
export const OVERSIZE = 24;
/** Server: datagrams dropped because they couldn't be sent, or too many were waiting to be. */
export const UNSENT = 25;
/** Server: sessions of datagrams that ended to make room for others. */
export const EVICTED = 26;
/** Process: sessions of datagrams now. */
export const DATAGRAM_SESSIONS = 27;
/** Cells that say how many there are now: a dead worker's don't count any more. */
export const GAUGES: readonly number[] = [
  ...[ACTIVE, UNFINISHED, GUARDED, DATAGRAM_SESSIONS],
];

/** Where each region starts, in bytes, for a number of rows. */
export type Regions = {
  readonly header: number;
  readonly shared: number;
  readonly rows: number;
  readonly bytes: number;
};

/** Lays out a buffer for `rows` rows: one a worker, one of the control plane. */
export function regions(rows: number): Regions {
  const shared = rows * HEADER_CELLS * 4 + (rows * HEADER_CELLS * 4) % 8;
  const start = shared + SLOTS * SHARED_CELLS * 4;
  return { header: 0, shared, rows: start, bytes: start + rows * SLOTS * CELLS * 8 };
}
