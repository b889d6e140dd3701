/** What a run finds out. This is what `--json` writes. */

/** What clients do: requests over open connections, a connection for each, large files. */
export type PlainLoad = "keepalive" | "short" | "bulk";

/** The same in the plain, and by TLS that the proxy speaks with them. */
export type Load = PlainLoad | `tls_${PlainLoad}`;

/** All of them. */
export const LOADS: readonly Load[] = [
  ...["keepalive", "short", "bulk"] as const,
  ...["tls_keepalive", "tls_short", "tls_bulk"] as const,
];

/** What a load is, apart from TLS. */
export function plainOf(load: Load): PlainLoad {
  return load.replace("tls_", "") as PlainLoad;
}

/** Is TLS spoken with the clients? */
export function isTls(load: Load): boolean {
  return load.startsWith("tls_");
}

/** One load through one proxy, once. */
export type Sample = {
  readonly requests: number;
  readonly bytes: number;
  readonly seconds: number;
  /** Connections and responses that failed. */
  readonly errors: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** What the proxy's processes used meanwhile, all threads together. */
  readonly cpuSeconds: number;
  /** The same for each thread that used any, the busiest first. */
  readonly threadSeconds: readonly number[];
};

/** Clients that exchange datagrams with a backend through a proxy, once. */
export type DatagramSample = {
  /** Datagrams that have come back. */
  readonly trips: number;
  /** Those that haven't in time. */
  readonly lost: number;
  readonly seconds: number;
  /** What the proxy's processes used meanwhile. */
  readonly cpuSeconds: number;
};

/** CPU of one datagram in one direction in each round, in microseconds. */
export function datagramUs({ datagrams }: Pick<ProxyResult, "datagrams">): number[] {
  return datagrams.map(({ trips, cpuSeconds }) => cpuSeconds * 1e6 / (2 * trips));
}

/** Figures of one proxy. Arrays have an entry a round. */
export type ProxyResult = {
  readonly id: string;
  /** What it is called in tables. */
  readonly label: string;
  /** As it tells itself, where it does. */
  readonly version: string;
  readonly loads: { readonly [load in Load]: Sample[] };
  /** Resident memory that an idle connection adds. */
  readonly idleBytes: number[];
  /** CPU of a request of 64 active connections, in microseconds, without and with idle connections opened first. */
  readonly active: { readonly alone: number[]; readonly besideIdle: number[] };
  /** Datagrams there and back. */
  readonly datagrams: DatagramSample[];
  /** From the start of the process to its first connection. */
  readonly startMs: number[];
};

/** What one strategy takes to choose a backend and to count the session, and to give it back, in nanoseconds. */
export type ElectionResult = {
  readonly strategy: string;
  readonly ofTwoNs: number;
  readonly ofThousandNs: number;
};

/** A whole run. */
export type Results = {
  readonly at: string;
  readonly machine: string;
  readonly rounds: number;
  /** Where they are, or what installs them. */
  readonly missing: readonly string[];
  /** What cut it short or makes it less exact. */
  readonly notes: string[];
  readonly proxies: readonly ProxyResult[];
  readonly elections: readonly ElectionResult[];
};

/** CPU of one request, in microseconds, or of 10^9 bytes, in seconds. */
export function unitCost(load: Load, sample: Sample): number {
  if (plainOf(load) === "bulk") return sample.cpuSeconds / (sample.bytes / 1e9);
  return sample.cpuSeconds * 1e6 / sample.requests;
}

/** {@link unitCost} of each round. */
export function unitCosts(proxy: ProxyResult, load: Load): number[] {
  return proxy.loads[load].map((sample) => unitCost(load, sample));
}
