/** How servers, pools, sources and backends do: what the API shows. */
import { type Backend, backendKey } from "./model.ts";

/** Bytes and sessions of a server or a backend, in gobetween's words: rx is backend to client. */
export type Traffic = {
  readonly active: number;
  readonly total: number;
  readonly refused: number;
  readonly rx: number;
  readonly tx: number;
  /** Bytes a second over the last interval. */
  readonly rxRate: number;
  readonly txRate: number;
};

/** A backend and how it does. */
export type BackendStatus = {
  readonly backend: Backend;
  /** Its weight by discovery, where operators have given it another one. */
  readonly discoveredWeight: number;
  readonly live: boolean;
  /** False once discovery no longer names it, until its last session ends. */
  readonly discovered: boolean;
  /** An operator wants no new sessions on it. */
  readonly draining: boolean;
  /** What its last check has seen, for people; empty before, and without checks. */
  readonly lastCheck: string;
  readonly traffic: Traffic;
};

/** Clients turned away, by reason. */
export type Refusals = {
  /** The process was at its limit of sessions. */
  readonly overCapacity: number;
  /** The server was at its `max_connections`. */
  readonly overLimit: number;
  /** The access rules. */
  readonly denied: number;
  /** No backend could be had. */
  readonly noBackend: number;
  /** Only known proxies may connect. */
  readonly unknownProxy: number;
  /** A proxy's header was wrong, or didn't come in time. */
  readonly badProxyHeader: number;
  /** Their TLS handshake failed. */
  readonly handshakeFailed: number;
  /** Their TLS handshake took too long. */
  readonly handshakeTimedOut: number;
  /** Too many TLS handshakes weren't finished. */
  readonly overUnfinished: number;
  /** The certificate was missing, not good, or nobody's who is allowed. */
  readonly badClientCertificate: number;
  /** No route, or no backend's `sni`, takes such clients. */
  readonly noRoute: number;
  /** The hello of TLS was none, or was broken off. */
  readonly badHello: number;
  /** The hello of TLS didn't come in time. */
  readonly helloTimeout: number;
};

/** What a server of datagrams has dropped. */
export type Drops = {
  /** Datagrams that were longer than it forwards, in either direction. */
  readonly oversize: number;
  /** Datagrams that couldn't be sent. */
  readonly unsent: number;
  /** Sessions that had to make room for others. */
  readonly evicted: number;
};

/** A server and how it does. */
export type ServerStatus = {
  readonly name: string;
  readonly traffic: Traffic;
  readonly refusals: Refusals;
  /** TLS handshakes that aren't over now; those of clients that were turned away stay until they leave. */
  readonly unfinishedHandshakes: number;
  /** Workers that guard its TLS against silent clients now. */
  readonly guardedWorkers: number;
  /** Of a server of datagrams alone. */
  readonly drops?: Drops | undefined;
  readonly backends: readonly BackendStatus[];
};

/** A discovery of a pool and how it does. */
export type SourceStatus = {
  readonly kind: string;
  /** Which one: its address, file, program or name, without secrets. */
  readonly source: string;
  /** Backends of its last list; undefined before its first answer. */
  readonly backends: number | undefined;
  /** Why it doesn't answer, and since when (milliseconds since 1970); undefined while it does. */
  readonly failing: { readonly why: string; readonly sinceMs: number } | undefined;
};

/** A pool and how it does. */
export type PoolStatus = {
  readonly name: string;
  readonly strategy: string;
  readonly sources: readonly SourceStatus[];
  readonly backends: readonly BackendStatus[];
};

/** The backend of this `host:port`, if the pool has it. */
export function findBackend(
  pool: PoolStatus | undefined,
  key: string,
): BackendStatus | undefined {
  return pool?.backends.find(({ backend }) => backendKey(backend) === key);
}
