/**
 * The facts that all parts share: readonly, replaced whole. Configuration becomes specs
 * ({@link ServerSpec}, {@link PoolSpec}); specs and discovered backends become tables
 * ({@link ServerTable}, {@link PoolTable}), which is what workers use.
 */

import type { RoutingSpec } from "./routing_spec.ts";
import type { Forward, UdpSpec } from "./udp_spec.ts";
import type { AcmeSpec, BackendsTls, BackendsTlsSpec, TlsSpec, TlsTable } from "./tls_model.ts";

/** Largest weight, priority and limit: counters and limits are 32-bit cells. */
export const MAX_NUMBER: number = 2 ** 31 - 1;

/** Backends taken from one source; the counters have room for some 32,000 of all. */
export const MAX_LISTED: number = 10_000;

/** One address that may be dialled, as a discovery found it. Identity is `host:port`. */
export type Backend = {
  /** A name or an address literal; IPv6 without brackets. */
  readonly host: string;
  /** The name that has this address among others. */
  readonly name?: string | undefined;
  /** 1 to 65535. */
  readonly port: number;
  /** Share of the sessions within its priority; 0 takes none while another has more. Default 1. */
  readonly weight: number;
  /** The lowest number is served first; the next only when nobody of it is usable. Default 1. */
  readonly priority: number;
  /** Sessions at the same time, over all workers; 0 is no limit, the default. */
  readonly maxConnections: number;
  /** The server name that this backend answers for; empty for any. */
  readonly sni: string;
  /** Version of the PROXY header that it gets first, 0 for none; absent: what its server says. */
  readonly proxy?: 0 | 1 | 2 | undefined;
};

/** Where a listener binds. */
export type Bind = {
  /** An address literal; `0.0.0.0` and `[::]` without brackets for all. */
  readonly hostname: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** As the configuration has it, `:3000`. */
  readonly text: string;
};

/** A rule that lets clients in or keeps them out; the first that matches decides. */
export type AccessRule = { readonly allow: boolean; readonly cidr: string };

/** Who may connect. */
export type AccessSpec = {
  /** What happens to a client that no rule matches. */
  readonly allowByDefault: boolean;
  readonly rules: readonly AccessRule[];
};

/** Limits of one server's sessions. Times are in milliseconds, 0 is no limit unless it says else. */
export type SessionLimits = {
  /** Longest silence of a session, in either direction. */
  readonly clientIdleMs: number;
  /** The same, as gobetween's second key; the shorter of the two counts. */
  readonly backendIdleMs: number;
  /** Longest silence once one side has ended. Never 0. */
  readonly halfCloseMs: number;
  /** Longest single dial. Never 0. */
  readonly dialMs: number;
  /** Longest time for all dials of a session together. Never 0. */
  readonly dialBudgetMs: number;
  /** Backends tried for one session, at least 1. */
  readonly dialAttempts: number;
  /** Largest buffer of one direction, in bytes. */
  readonly bufferMaxBytes: number;
};

/** The PROXY protocol of one server. */
export type ProxySpec = {
  /** Version of the header that backends get first; 0 is none. */
  readonly send: 0 | 1 | 2;
  /** Networks of the proxies that send a header, and who alone may connect then; empty: nobody sends one. */
  readonly from: readonly string[];
  /** Longest wait for a header. Never 0. */
  readonly readMs: number;
  /** What a header of version 2 carries beside addresses and the protocol of TLS. */
  readonly extras?: readonly ProxyExtra[] | undefined;
};

/** One of the things that version 2 of the PROXY protocol can carry. */
export type ProxyExtra = "authority" | "unique_id" | "ssl" | "crc32c";

/** A named listener. */
export type ServerSpec = {
  readonly name: string;
  readonly bind: Bind;
  readonly protocol: "tcp" | "udp";
  /** The pool that serves clients whom no route leads elsewhere; absent: they are refused. */
  readonly pool?: string | undefined;
  /** Absent: every client gets the pool, and nobody's bytes are looked at. */
  readonly routing?: RoutingSpec | undefined;
  /** Sessions at the same time, over all workers; 0 is no limit. */
  readonly maxConnections: number;
  readonly limits: SessionLimits;
  readonly access: AccessSpec;
  readonly proxy?: ProxySpec | undefined;
  /** Absent: clients speak plainly. */
  readonly tls?: TlsSpec | undefined;
  /** Absent: backends speak plainly. */
  readonly backendsTls?: BackendsTlsSpec | undefined;
  /** Of a server with protocol `udp` alone. */
  readonly udp?: UdpSpec | undefined;
  /** How the kernel forwards its packets; absent: they pass through us. */
  readonly forward?: Forward | undefined;
  /** What happens to the sessions of a backend that leaves the pool. */
  readonly onRemove: "finish" | "close";
};

/** One source of a pool's backends. */
export type DiscoverySpec = {
  readonly kind: string;
  /** The keys of the kind, as its shape has parsed them. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Time between two questions; 0 asks until the first answer, then never again. */
  readonly intervalMs: number;
  /** Limit of one question. Never 0. */
  readonly timeoutMs: number;
  /** What a failure leaves: the last good list, or none. */
  readonly failpolicy: "keeplast" | "setempty";
};

/** How a pool's backends are checked. */
export type CheckSpec = {
  readonly kind: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** Port to check instead of the backend's. */
  readonly port?: number;
  /** Address literal to check instead of the backend's. */
  readonly address?: string;
  /** Never 0. */
  readonly intervalMs: number;
  /** Limit of one check. Never 0. */
  readonly timeoutMs: number;
  /** Failures in a row that take a backend down; at least 1. */
  readonly fails: number;
  /** Passes in a row that bring it back; at least 1. */
  readonly passes: number;
  /** Is a backend live before its first results? */
  readonly initiallyLive: boolean;
};

/** Strategy, discoveries, check: what servers lead to. */
export type PoolSpec = {
  readonly name: string;
  readonly strategy: string;
  readonly discoveries: readonly DiscoverySpec[];
  /** Absent: backends count as live. */
  readonly check?: CheckSpec | undefined;
};

/** What is written, and where to. */
export type LoggingSpec = {
  readonly level: "trace" | "debug" | "info" | "warning" | "error" | "fatal";
  /** `stdout`, `stderr` or a file's path. */
  readonly output: string;
  readonly format: "text" | "json";
};

/** The management API's listener. */
export type ApiSpec = {
  readonly bind: Bind;
  readonly cors: boolean;
  readonly basicAuth?: { readonly login: string; readonly password: string } | undefined;
  /** Paths of a certificate and its key: then the API speaks HTTPS. */
  readonly tls?: { readonly certPath: string; readonly keyPath: string } | undefined;
  /** Networks that may write without credentials. */
  readonly allow: readonly string[];
};

/** Settings of the process as a whole. */
export type ProcessSpec = {
  /** Data-plane isolates; absent for as many as there are cores. */
  readonly workers?: number | undefined;
  /** A worker silent for so long ends the process; 0 never. */
  readonly watchdogMs: number;
  /** Longest drain after SIGTERM. */
  readonly shutdownMs: number;
  /** Longest drain after another process has taken over; 0 is no limit. */
  readonly takeoverMs: number;
  /** Sessions of the whole process; absent for what the descriptor limit allows. */
  readonly maxSessions?: number | undefined;
  /** Where changes made through the API are kept; absent: beside the pid file, if there is one. */
  readonly stateFile?: string | undefined;
};

/** A configuration, checked and with all defaults filled in. */
export type Config = {
  readonly process: ProcessSpec;
  readonly logging: LoggingSpec;
  /** Absent: no API. */
  readonly api?: ApiSpec | undefined;
  readonly servers: ReadonlyMap<string, ServerSpec>;
  readonly pools: ReadonlyMap<string, PoolSpec>;
  /** The same in gobetween's spelling, normalised: what the API and a dump show. */
  readonly document: ConfigDocument;
  /** Absent: nobody is asked for certificates. */
  readonly acme?: AcmeSpec | undefined;
};

/** A section of the configuration as API and dump show it: gobetween's names and order. */
export type Section = { readonly [key: string]: unknown };

/** A whole configuration in gobetween's spelling. */
export type ConfigDocument = {
  readonly logging: Section;
  readonly api: Section;
  readonly metrics: Section;
  readonly defaults: Section;
  readonly acme: Section | null;
  readonly profiler: Section;
  readonly servers: { readonly [name: string]: Section };
  /** Named pools; ours, so absent when there are none. */
  readonly pools?: { readonly [name: string]: Section };
  /** Keys of the top level (`workers`, `watchdog` …) that were given. */
  readonly top: Section;
};

/** A backend in a table: what a worker needs to choose and to dial it. */
export type Member = {
  /** Its place in the shared counters. */
  readonly slot: number;
  /** The name as configured, or one of its addresses where it has several, for logs. */
  readonly host: string;
  /** The name, where it has several addresses. */
  readonly name?: string | undefined;
  /** The address to dial. */
  readonly address: string;
  readonly port: number;
  readonly weight: number;
  readonly priority: number;
  readonly maxConnections: number;
  readonly sni: string;
  /** Version of the PROXY header that it gets, where it isn't its server's. */
  readonly proxy?: 0 | 1 | 2 | undefined;
};

/** A pool as workers use it. */
export type PoolTable = {
  readonly name: string;
  /** Its place in the shared counters (the cursor of round robin). */
  readonly slot: number;
  readonly strategy: string;
  readonly members: readonly Member[];
};

/** A server as workers use it. */
export type ServerTable = Omit<ServerSpec, "bind" | "tls" | "backendsTls"> & {
  readonly tls?: TlsTable | undefined;
  readonly backendsTls?: BackendsTls | undefined;
  /** Its place in the shared counters. */
  readonly slot: number;
  /** The address with the real port. */
  readonly hostname: string;
  readonly port: number;
  /** Bytes of a client's address that strategies hash. */
  readonly keyWidth: 4 | 16;
};

/** `host:port` with IPv6 in brackets: how a backend is named everywhere. */
export function backendKey(backend: { readonly host: string; readonly port: number }): string {
  return backend.host.includes(":")
    ? `[${backend.host}]:${backend.port}`
    : `${backend.host}:${backend.port}`;
}
