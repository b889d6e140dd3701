/** An API server of Kubernetes with objects that a test gives it: lists, single objects, watches; by TLS, with a token. */
import type http from "node:http";
import https from "node:https";
import type { Certificate } from "./certificates.ts";

const FIXTURES = new URL("../fixtures/kubernetes/", import.meta.url);

// deno-lint-ignore no-explicit-any
type Json = any;

/** A fixture as an object. */
export function fixture(name: string): Json {
  return JSON.parse(Deno.readTextFileSync(new URL(name, FIXTURES)));
}

/** The events of the recorded watch. */
export function fixtureEvents(): Json[] {
  const text = Deno.readTextFileSync(new URL("watch.jsonl", FIXTURES));
  return text.trim().split("\n").map((line) => JSON.parse(line));
}

/** An answer that is no object of the cluster. */
export type Told = { readonly code: number; readonly body: string };

/** Answers as Kubernetes does. Dispose it: open watches are cut. */
export class KubernetesServer implements AsyncDisposable {
  /** By path: a list of objects, or an object. */
  readonly objects: Map<string, Json> = new Map();
  /** Requests so far, as path and query. */
  readonly asked: string[] = [];
  /** What it takes; empty takes everybody. */
  token = "";
  /** Instead of the next answers to watches. */
  readonly nextWatches: Told[] = [];
  /** Objects in one answer, whatever is asked for. */
  page = 1_000;
  /** Where it listens, or did. */
  port = 0;
  readonly #watches = new Set<http.ServerResponse>();
  readonly #server: https.Server;

  private constructor({ cert, key }: Certificate) {
    const tls = { cert: Deno.readTextFileSync(cert), key: Deno.readTextFileSync(key) };
    this.#server = https.createServer(tls, (request, response) => this.#serve(request, response));
    this.#server.on("tlsClientError", () => {}); // a client that doesn't trust it
  }

  /** Listens on loopback. */
  static async start(tls: Certificate): Promise<KubernetesServer> {
    const server = new KubernetesServer(tls);
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    server.port = (server.#server.address() as { readonly port: number }).port;
    return server;
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  /** Watches that are open. */
  get watches(): number {
    return this.#watches.size;
  }

  #serve(request: http.IncomingMessage, response: http.ServerResponse): void {
    const { pathname, search, searchParams } = new URL(request.url!, this.url);
    this.asked.push(pathname + search);
    const refused = this.token !== "" && request.headers.authorization !== `Bearer ${this.token}`;
    if (!refused && searchParams.has("watch") && this.nextWatches.length === 0) {
      this.#watches.add(response);
      response.on("close", () => this.#watches.delete(response));
      response.writeHead(200, { "content-type": "application/json" }).flushHeaders();
      return;
    }
    const { code, body } = refused
      ? status(401, "Unauthorized")
      : searchParams.has("watch")
      ? this.nextWatches.shift()!
      : this.#answer(pathname, searchParams);
    response.writeHead(code, { "content-type": "application/json" }).end(body);
  }

  #answer(path: string, query: URLSearchParams): Told {
    const found = this.objects.get(path);
    if (found === undefined) return status(404, "not found");
    const told = (object: Json) => ({ code: 200, body: JSON.stringify(object) });
    if (!Array.isArray(found.items)) return told(found);
    const from = Number(query.get("continue") ?? 0);
    const end = from + this.page;
    const more = end < found.items.length ? { continue: String(end) } : {};
    const metadata = { ...found.metadata, ...more };
    return told({ ...found, metadata, items: found.items.slice(from, end) });
  }

  /** Sends lines to every watch. */
  say(...events: readonly unknown[]): void {
    const lines = events.map((each) => typeof each === "string" ? each : JSON.stringify(each));
    for (const watch of this.#watches) watch.write(lines.map((line) => `${line}\n`).join(""));
  }

  /** Ends every watch, as a server does in time, or breaks it off. */
  end(how: "end" | "break"): void {
    for (const watch of this.#watches) {
      if (how === "end") watch.end();
      else watch.destroy();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.end("break");
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** A Status with which Kubernetes says no. */
export function status(code: number, message: string): Told {
  return { code, body: JSON.stringify({ kind: "Status", status: "Failure", message, code }) };
}
