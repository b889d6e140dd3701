/** Sources of backends behind HTTP and DNS, as small servers that a test makes answer, fail, hang or talk nonsense. */
import { TcpBackend, writeAll } from "./backends.ts";
import { freePort } from "./clients.ts";
import { type Answerer, DnsStandIn, questionOf, record, reply, srvRecord } from "./dns_stand_in.ts";
import type { LocalSource } from "./local_sources.ts";

/** What a request is answered with; `more` goes on until the client leaves. */
export type Page = {
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly more?: AsyncIterable<string>;
};

/** What a protocol sees of the source. */
export type Rows = {
  /** `host:port` each. */
  readonly rows: readonly string[];
  /** Counts the lists, from 1. */
  readonly version: number;
  /** Resolves when there is another list. */
  readonly changed: Promise<void>;
};

/** Answers a request as the service does that it stands in for; `now` gives what it says at that moment. */
export type Protocol = (url: URL, now: () => Rows) => Page | Promise<Page>;

type Fault = "hang" | "stall" | "babble" | undefined;

/** A web server, on a port that stays its own while it is down. What goes on and on, or waits for a change, ends with a fault. */
export class HttpSource implements LocalSource {
  asked = 0;
  /** Where it listens on loopback. */
  readonly port: number = freePort();
  #server: TcpBackend | undefined;
  #fault: Fault;
  #text: string | undefined;
  #rows: readonly string[] = [];
  #version = 0;
  #change = Promise.withResolvers<void>();

  /** @param optionsAt The discovery's keys for a server at this `host:port`. */
  constructor(
    readonly optionsAt: (address: string) => Readonly<Record<string, unknown>>,
    readonly protocol: Protocol,
    /** What is no list in it, although it can be read. */
    readonly else_ = '{"x": [1, 2]}',
  ) {}

  get options(): Readonly<Record<string, unknown>> {
    return this.optionsAt(`127.0.0.1:${this.port}`);
  }

  async say(rows: readonly string[]): Promise<void> {
    this.#rows = rows;
    this.#version++;
    await this.#become(undefined);
  }

  utter(text: string): Promise<void> {
    return this.#become(undefined, text);
  }

  other(): Promise<void> {
    return this.utter(this.else_);
  }

  hang(): Promise<void> {
    return this.#become("hang");
  }

  stall(): Promise<void> {
    return this.#become("stall");
  }

  babble(): Promise<void> {
    return this.#become("babble");
  }

  async fall(): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    this.#server = undefined;
  }

  // deno-lint-ignore require-await
  async #become(fault: Fault, text?: string): Promise<void> {
    this.#fault = fault;
    this.#text = text;
    this.#change.resolve();
    this.#change = Promise.withResolvers();
    this.#server ??= new TcpBackend((conn) => this.#serve(conn), this.port);
  }

  get #good(): boolean {
    return this.#fault === undefined && this.#text === undefined;
  }

  async #serve(conn: Deno.TcpConn): Promise<void> {
    const url = await requested(conn);
    this.asked++;
    if (this.#fault === "hang") return await untilGone(conn);
    if (this.#fault === "babble") return await send(conn, NOISE);
    if (this.#fault === "stall") {
      await send(conn, `${headOf({ "content-length": "1000" })}[`);
      return await untilGone(conn);
    }
    if (this.#text !== undefined) return await send(conn, `${headOf()}${this.#text}`);
    const now = () => ({ rows: this.#rows, version: this.#version, changed: this.#change.promise });
    const page = await this.protocol(url, now);
    if (!this.#good) return; // it has waited for a change
    await send(conn, `${headOf(page.headers)}${page.body}`);
    for await (const piece of page.more ?? []) {
      if (!this.#good) return;
      await send(conn, piece);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.fall();
    this.#change.resolve();
  }
}

/** Bytes in which no protocol begins. */
const NOISE = String.fromCharCode(...Array.from({ length: 512 }, (_, i) => i * 89 & 127));

function headOf(headers: Readonly<Record<string, string>> = {}): string {
  const all = { "content-type": "application/json", connection: "close", ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return `HTTP/1.1 200 OK\r\n${lines}\r\n`;
}

async function requested(conn: Deno.Conn): Promise<URL> {
  const buffer = new Uint8Array(16_384);
  let head = "";
  while (!head.includes("\r\n\r\n")) {
    const read = await conn.read(buffer);
    if (read === null) throw new Error("no request");
    head += new TextDecoder().decode(buffer.subarray(0, read));
  }
  return new URL(head.split(" ")[1]!, "http://stand.in");
}

async function untilGone(conn: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(4096);
  while (await conn.read(buffer) !== null);
}

async function send(conn: Deno.Conn, text: string): Promise<void> {
  await writeAll(conn, new TextEncoder().encode(text));
}

function split(row: string): { readonly host: string; readonly port: number } {
  const at = row.lastIndexOf(":");
  return { host: row.slice(0, at), port: Number(row.slice(at + 1)) };
}

/** A Docker daemon with a container for each row. */
export function dockerSource(): HttpSource {
  const options = (address: string) => ({
    docker_endpoint: `tcp://${address}`,
    docker_container_private_port: 80,
  });
  return new HttpSource(options, (url, now) => {
    if (url.pathname === "/events") return { body: "", more: events(now) };
    const containers = now().rows.map((row, index) => {
      const { host, port } = split(row);
      const ports = [{ IP: host, PrivatePort: 80, PublicPort: port, Type: "tcp" }];
      return { Id: `c${index}`, State: "running", Ports: ports };
    });
    return { body: JSON.stringify(containers) };
  });
}

/** A line for each change. */
async function* events(now: () => Rows): AsyncGenerator<string> {
  for (;;) {
    await now().changed;
    yield '{"Type":"container","Action":"start"}\n';
  }
}

/** A Consul agent with an instance of the service for each row. */
export function consulSource(): HttpSource {
  const options = (address: string) => ({ consul_host: address, consul_service_name: "web" });
  return new HttpSource(options, async (url, now) => {
    if (url.searchParams.get("index") === String(now().version)) await now().changed;
    const { rows, version } = now();
    const instances = rows.map((row) => {
      const { host, port } = split(row);
      return { Service: { Address: host, Port: port } };
    });
    return { body: JSON.stringify(instances), headers: { "x-consul-index": String(version) } };
  });
}

/** Endpoints in one slice; the API server makes no more than a hundred. */
const IN_SLICE = 100;

/** An API server of Kubernetes with the rows, all of one port, in EndpointSlices. */
export function kubernetesSource(): HttpSource {
  const options = (address: string) => ({
    ...{ kubernetes_api: `http://${address}`, kubernetes_namespace: "shop" },
    ...{ kubernetes_service: "web", kubernetes_port: "http" },
  });
  return new HttpSource(options, ({ searchParams }, now) => {
    if (searchParams.has("watch")) return { body: "", more: sliceEvents(now) };
    const from = Number(searchParams.get("continue") ?? 0);
    const end = from + Number(searchParams.get("limit"));
    const { rows, version } = now();
    const items = [];
    for (let i = from; i < end && i * IN_SLICE < rows.length; i++) items.push(slice(now(), i));
    const more = end * IN_SLICE < rows.length ? { continue: String(end) } : {};
    return {
      body: JSON.stringify({ metadata: { resourceVersion: String(version), ...more }, items }),
    };
  });
}

function slice({ rows, version }: Rows, index: number) {
  const own = rows.slice(index * IN_SLICE, (index + 1) * IN_SLICE).map(split);
  return {
    metadata: { name: `web-${index}`, resourceVersion: String(version) },
    addressType: "IPv4",
    ports: [{ name: "http", port: own[0]?.port ?? 80 }],
    endpoints: own.map(({ host }) => ({ addresses: [host] })),
  };
}

/** An event for the one slice after each change; where there are several, that the watch has to begin anew. */
async function* sliceEvents(now: () => Rows): AsyncGenerator<string> {
  for (;;) {
    const before = now();
    await before.changed;
    const several = [before, now()].some(({ rows }) => rows.length > IN_SLICE);
    if (several) yield '{"type":"ERROR","object":{"code":410}}\n';
    else yield `${JSON.stringify({ type: "MODIFIED", object: slice(now(), 0) })}\n`;
  }
}

const NAME = "web.twixt.test";
/** Records in an answer of {@link DnsSource}: with addresses beside them they fit into a message of 64 KiB. */
export const MAX_RECORDS: number = 700;

/** A DNS server; `say`'s rows are addresses (and all of one port), or SRV records with their addresses. */
export class DnsSource implements LocalSource {
  readonly #port = freePort();
  #server: DnsStandIn | undefined;
  #asked = 0;
  #answer: Answerer = () => [];
  readonly options: Readonly<Record<string, unknown>>;

  /** @param port The backends' port; undefined for SRV, whose records have it. */
  constructor(readonly port?: number) {
    const server = `127.0.0.1:${this.#port}`;
    this.options = port === undefined
      ? { srv_lookup_server: server, srv_lookup_pattern: NAME }
      : { dns_lookup_server: server, dns_name: NAME, dns_port: port };
  }

  get asked(): number {
    return this.#asked + (this.#server?.asked.length ?? 0);
  }

  say(rows: readonly string[]): Promise<void> {
    const some = rows.slice(0, MAX_RECORDS).map(split);
    const target = ({ host }: { readonly host: string }) => `a${host.replaceAll(".", "-")}.test`;
    const address = (name: string, { host }: { readonly host: string }) =>
      record(name, 1, host.split(".").map(Number), 0);
    const answers = some.map((row) =>
      this.port === undefined ? srvRecord(NAME, [1, 1, row.port, target(row)]) : address(NAME, row)
    );
    const additional = this.port === undefined ? some.map((row) => address(target(row), row)) : [];
    return this.#become((question, protocol) => {
      if (questionOf(question).type === 28) return [reply(question, {})]; // AAAA: there are none
      const whole = reply(question, { answers, additional });
      const fits = protocol === "tcp" || whole.length < 1_200;
      return [fits ? whole : reply(question, { truncated: true })];
    });
  }

  utter(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    return this.#become((question) => [Uint8Array.of(...question.subarray(0, 2), ...bytes)]);
  }

  babble(): Promise<void> {
    return this.utter(NOISE);
  }

  other(): Promise<void> {
    return this.#become((question) => [reply(question, { rcode: 2 })]);
  }

  hang(): Promise<void> {
    return this.#become(() => []);
  }

  async fall(): Promise<void> {
    this.#asked = this.asked;
    const server = this.#server;
    this.#server = undefined;
    await server?.[Symbol.asyncDispose]();
  }

  // deno-lint-ignore require-await
  async #become(answer: Answerer): Promise<void> {
    this.#answer = answer;
    this.#server ??= new DnsStandIn((...asked) => this.#answer(...asked), this.#port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.fall();
  }
}
