/** A source of each kind, one Twixt that follows them all, and clients that mustn't feel what the sources do. */
import { ask, TcpBackend, until, writeAll } from "./backends.ts";
import { byDenoRun } from "./host.ts";
import {
  FileSource,
  jsonOf,
  type LocalSource,
  LxdSource,
  pageSource,
  ProgramSource,
} from "./local_sources.ts";
import { consulSource, DnsSource, dockerSource, kubernetesSource } from "./network_sources.ts";
import { staticServer } from "./static_server.ts";
import { TimedClients } from "./timed_clients.ts";
import { type LogLine, Twixt } from "./twixt.ts";

const SOURCES: Readonly<Record<string, (port: number) => LocalSource>> = {
  srv: () => new DnsSource(),
  dns: (port) => new DnsSource(port),
  docker: dockerSource,
  consul: consulSource,
  kubernetes: kubernetesSource,
  lxd: () => new LxdSource(),
  exec: () => new ProgramSource(),
  plaintext: () => pageSource("plaintext_endpoint", (rows) => rows.join("\n")),
  json: () => pageSource("json_endpoint", jsonOf),
  file: () => new FileSource(),
};

/** Kinds that wait for what comes over an open connection, whose end an older runtime doesn't tell. */
const BY_STREAM = ["docker", "consul", "kubernetes"];
/** All kinds that are tested with them. */
export const KINDS: readonly string[] = Object.keys(SOURCES)
  .filter((kind) => byDenoRun || !BY_STREAM.includes(kind));
/** Kinds whose sources tell of changes. */
export const FOLLOWED: readonly string[] = [...BY_STREAM, "file"]
  .filter((kind) => KINDS.includes(kind));

/** A kind and its source. */
export type Named = { readonly kind: string; readonly source: LocalSource };

/** How Twixt asks them. */
export type AskOptions = {
  readonly kinds?: readonly string[];
  readonly interval?: string;
  readonly timeout?: string;
  /** No servers with the other policy. */
  readonly only?: "keeplast";
};

/**
 * A source of each kind; a backend that listens on all addresses of loopback and says on which it was met. Twixt has a
 * server KIND with keeplast and KIND-empty with setempty for each, and "steady", which has a static list.
 */
export class Sources implements AsyncDisposable {
  readonly #backend = new TcpBackend(
    (conn) => writeAll(conn, new TextEncoder().encode((conn.localAddr as Deno.NetAddr).hostname)),
    0,
    "0.0.0.0",
  );
  #twixt: Twixt | undefined;
  readonly first: string = `127.0.0.1:${this.#backend.port}`;
  readonly second: string = `127.0.0.2:${this.#backend.port}`;
  readonly all: readonly Named[] = KINDS.map((kind) => ({
    kind,
    source: SOURCES[kind]!(this.#backend.port),
  }));

  /** Makes them; all list {@link first}. */
  static async make(): Promise<Sources> {
    const sources = new Sources();
    await Promise.all(sources.all.map(({ source }) => source.say([sources.first])));
    return sources;
  }

  /** Starts Twixt. Dispose it before these. */
  async start(
    { kinds = KINDS, interval = "200ms", timeout = "1s", only }: AskOptions,
  ): Promise<Twixt> {
    const servers: Record<string, unknown> = { steady: staticServer([this.first]) };
    for (const { kind, source } of this.all.filter(({ kind }) => kinds.includes(kind))) {
      const discovery = { kind, interval, timeout, ...source.options };
      servers[kind] = { bind: "127.0.0.1:0", discovery };
      if (only === undefined) {
        const empty = { ...discovery, failpolicy: "setempty" };
        servers[`${kind}-empty`] = { bind: "127.0.0.1:0", discovery: empty };
      }
    }
    const api = { enabled: true, bind: "127.0.0.1:0" };
    return this.#twixt = await Twixt.start({ config: { workers: 1, api, servers } });
  }

  /** Waits until the servers of a kind lead there, or with "" nowhere. */
  async serves(kind: string, backend: string, withinMs = 20_000): Promise<void> {
    const host = backend.split(":")[0]!;
    const ports = this.#twixt!.lines
      .filter(({ msg, server }) =>
        msg === "listening" && (server === kind || server === `${kind}-empty`)
      )
      .map(({ server }) => this.#twixt!.port(String(server)));
    const there = async () => (await Promise.all(ports.map(ask))).every((said) => said === host);
    await until(there, withinMs, `service of ${kind} by ${host || "nobody"}`);
  }

  /** Waits until a kind's pool has so many backends. */
  async names(kind: string, count: number): Promise<void> {
    const there = async () => (await this.#twixt!.stats(kind)).backends.length === count;
    await until(there, 20_000, `${count} backends of ${kind}`);
  }

  /** Waits for the line of a failure after the first `seen` lines. */
  failed(kind: string, seen: number, why: RegExp): Promise<LogLine> {
    const { lines } = this.#twixt!;
    return this.#twixt!.logged((line) =>
      line.msg === "discovery failed" && line.pool === kind && why.test(String(line.why)) &&
      lines.indexOf(line) >= seen
    );
  }

  /** Why a kind has failed after the first `seen` lines. */
  failures(kind: string, seen: number): string[] {
    return this.log(kind, "discovery failed", seen).map(({ why }) => String(why));
  }

  /** Lines about a kind's pool. */
  log(kind: string, msg: string, seen = 0): LogLine[] {
    return this.#twixt!.lines.slice(seen).filter((line) => line.pool === kind && line.msg === msg);
  }

  /** Clients of these servers, four at a time, each of which has to be served. */
  clients(servers: readonly string[], session?: () => Promise<void>): TimedClients {
    return new TimedClients(this.#twixt!, servers, session);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { source } of this.all) await source[Symbol.asyncDispose]();
    await this.#backend[Symbol.asyncDispose]();
  }
}

const TAKEN = /"msg":"discovered backends were skipped".*"count":90000,/;

/** What the log says of 100,000 rows: they are taken up to the limit, or refused. DNS has no room for them. */
export const OUTCOMES: Readonly<Record<string, RegExp>> = {
  docker: /the answer is longer than 8 MiB/,
  lxd: TAKEN,
  consul: TAKEN,
  kubernetes: TAKEN,
  exec: /sh said too much: it said more than 1048576 bytes/,
  plaintext: TAKEN,
  json: TAKEN,
  file: TAKEN,
};
