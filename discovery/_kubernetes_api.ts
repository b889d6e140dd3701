/** The API of Kubernetes: lists of objects, and what happens to them. */
import { systemClock } from "../lib/clock.ts";
import { DiscoveryError, messageOf, printable, WatchRefusedError } from "../lib/errors.ts";
import { fieldsOf, listOf, textOf } from "../lib/loose.ts";
import { whatHappened } from "../lib/net/errors.ts";
import { request, stream } from "../lib/net/request.ts";
import { TimeLimit } from "../lib/time_limit.ts";
import { tlsOptions } from "../lib/net/tls_options.ts";
import { onAbort } from "../lib/own.ts";
import { readPlainFileSync } from "../lib/source/plain_file.ts";
import { Heard } from "./_heard.ts";

/** Where the API is and how it is asked. */
export type ApiOptions = {
  readonly url: URL;
  /** Read for each question: tokens expire, and are renewed in their file. Undefined: none is sent. */
  readonly tokenPath: string | undefined;
  readonly caPath: string | undefined;
  readonly insecure: boolean;
  /** Longest wait for one answer. */
  readonly limitMs: number;
  /** How long the server is asked to tell of changes before it is asked again. */
  readonly watchMs: number;
  /** Pause before a list is asked for again, and between two watches. */
  readonly retryMs: number;
};

/** A list of objects: its path, and parameters such as `labelSelector`. */
export type ListQuery = {
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
  /** Objects in one answer. */
  readonly page: number;
};

/** Objects by name; the map is the same, and changes. */
export type Followed<T> = {
  readonly objects: ReadonlyMap<string, T>;
  /** False where a watch has only come to its end. */
  readonly changed: boolean;
};

type Objects = { readonly items: readonly unknown[]; readonly version: string };

/** Objects that are kept of one list. */
const MAX_OBJECTS = 20_000;
/** Characters that are kept of an answer that says no. */
const MAX_REFUSAL = 65_536;
/** Shortest time between two lists that are told of. */
const BURST_MS = 250;
/** A watch that ends without an event before that was none. */
const SHORTEST_MS = 1_000;

/** The API of one cluster. */
export class KubernetesApi {
  /** Asks nobody yet. */
  constructor(readonly options: ApiOptions) {}

  /** An object, or undefined where there is none of that name. @throws DiscoveryError when it can't be had. */
  async get(path: string, signal: AbortSignal): Promise<unknown> {
    const { status, text } = await this.#ask(path, {}, signal);
    return status === 404 ? undefined : this.#parsed(status, text, path);
  }

  /** All objects of a list. @throws DiscoveryError when it can't be had. */
  async list({ path, params, page }: ListQuery, signal: AbortSignal): Promise<Objects> {
    const items: unknown[] = [];
    for (let next = ""; items.length < MAX_OBJECTS;) {
      const query = { ...params, limit: String(page), ...next === "" ? {} : { continue: next } };
      const { status, text } = await this.#ask(path, query, signal);
      const body = fieldsOf(this.#parsed(status, text, path));
      if (!Array.isArray(body.items)) throw this.#error("the answer isn't a list of Kubernetes");
      items.push(...listOf(body.items));
      const metadata = fieldsOf(body.metadata);
      next = textOf(metadata.continue);
      if (next === "") return { items, version: textOf(metadata.resourceVersion) };
      if (body.items.length === 0) throw this.#error("the list goes on without end");
    }
    throw this.#error(`the list has more than ${MAX_OBJECTS} objects`);
  }

  /**
   * All objects of a list as `read` sees them; again after each change, and whenever a watch ends, which it does every
   * minute. A watch that breaks off begins anew with the list.
   * @throws DiscoveryError when the list can't be had; WatchRefusedError when it mustn't be watched.
   */
  async *follow<T>(
    query: ListQuery,
    read: (object: unknown) => T,
    signal: AbortSignal,
  ): AsyncGenerator<Followed<T>> {
    while (!signal.aborted) {
      const { items, version } = await this.list(query, signal);
      const state = new Following(items, version, read);
      const { objects } = state;
      yield { objects, changed: true };
      for (let whole = true; whole && !signal.aborted;) {
        whole = yield* this.#round(query, state, signal);
        if (whole) yield { objects, changed: false };
        await systemClock.sleep(this.options.retryMs, signal);
      }
    }
  }

  /** One watch. Gives whether the next can go on where it has ended. */
  async *#round<T>(
    query: ListQuery,
    state: Following<T>,
    signal: AbortSignal,
  ): AsyncGenerator<Followed<T>, boolean> {
    const { limitMs, watchMs } = this.options;
    const left = new AbortController();
    using _until = onAbort(signal, () => left.abort());
    using limit = new TimeLimit(limitMs, left.signal);
    const lines = await this.#watch(query, state.version, limit);
    if (lines === undefined) return false;
    const since = systemClock.now();
    limit.restart(watchMs + limitMs); // a server that hangs doesn't end it
    const heard = new Heard(lines, (line) => state.take(line));
    try {
      for (;;) {
        const news = await heard.next();
        if (news === "over") break;
        yield { objects: new Map(state.objects), changed: true };
        await systemClock.sleep(BURST_MS, signal); // changes come in bursts
      }
    } finally {
      left.abort();
      await heard.ended;
    }
    if (heard.broken) return false;
    return heard.events > 0 || systemClock.now() - since > SHORTEST_MS; // else something in between can't stream
  }

  /** The lines of a watch that has begun; undefined where the version is too old. */
  async #watch(
    { path, params }: ListQuery,
    version: string,
    limit: TimeLimit,
  ): Promise<AsyncIterable<string> | undefined> {
    const watch = {
      ...{ ...params, watch: "1", resourceVersion: version, allowWatchBookmarks: "true" },
      timeoutSeconds: String(Math.ceil(this.options.watchMs / 1000)),
    };
    const question = this.#question(path, watch, limit.signal);
    try {
      const { status, lines } = await stream(question);
      if (status === 200) return lines;
      let text = "";
      for await (const line of lines) if (text.length < MAX_REFUSAL) text += line;
      if (status === 410) return undefined;
      const refusal = this.#refused(status, text, path);
      throw status === 403 ? new WatchRefusedError(refusal.message) : refusal;
    } catch (error) {
      throw this.#failed(error, limit);
    }
  }

  async #ask(
    path: string,
    params: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<{ readonly status: number; readonly text: string }> {
    using limit = new TimeLimit(this.options.limitMs, signal);
    const question = this.#question(path, params, limit.signal);
    try {
      return await request(question);
    } catch (error) {
      throw this.#failed(error, limit);
    }
  }

  #failed(error: unknown, { late }: TimeLimit): DiscoveryError {
    if (error instanceof DiscoveryError) return error;
    return this.#error(late ? "no answer in time" : whatHappened(error), error);
  }

  #question(path: string, params: Readonly<Record<string, string>>, signal: AbortSignal) {
    const { url: base, tokenPath, caPath, insecure } = this.options;
    const url = new URL(base.pathname.replace(/\/$/, "") + path, base);
    for (const [key, value] of Object.entries(params)) url.searchParams.set(key, value);
    const token = tokenPath === undefined ? "" : readToken(tokenPath);
    const headers = {
      accept: "application/json",
      ...token === "" ? {} : { authorization: `Bearer ${token}` },
    };
    try {
      const tls = url.protocol === "https:" ? tlsOptions({ caPath, insecure }) : undefined;
      return { url, headers, tls, signal };
    } catch (error) {
      throw new DiscoveryError(`Kubernetes: ${messageOf(error)}`);
    }
  }

  #parsed(status: number, text: string, path: string): unknown {
    if (status !== 200) throw this.#refused(status, text, path);
    try {
      return JSON.parse(text);
    } catch {
      throw this.#error("the answer isn't JSON; is kubernetes_api the address of the API server?");
    }
  }

  #refused(status: number, text: string, path: string): DiscoveryError {
    const said = reasonIn(text);
    const { tokenPath } = this.options;
    if (status === 401) {
      const whose = tokenPath === undefined
        ? "anybody without a token; name its file in kubernetes_token_path"
        : `the token in ${tokenPath}; it has expired, or is another cluster's`;
      return this.#error(`it doesn't take ${whose}`);
    }
    if (status === 403) {
      const what = path.split("/").slice(-1)[0];
      return this.#error(`forbidden${said}; its role needs get, list and watch for ${what}`);
    }
    return this.#error(`status ${status}${said}`);
  }

  #error(what: string, cause?: unknown): DiscoveryError {
    return new DiscoveryError(`Kubernetes at ${this.options.url.host}: ${what}`, { cause });
  }
}

/** What has become of a list. Pure. */
export class Following<T> {
  /** What {@link take} has left, by name. */
  readonly objects: Map<string, T> = new Map<string, T>();

  /** Begins with a list and its version. */
  constructor(
    items: readonly unknown[],
    public version: string,
    readonly read: (object: unknown) => T,
  ) {
    for (const item of items) this.objects.set(nameOf(item), read(item));
  }

  /** Takes an event. "gone": the list has to be asked for again. @throws Error when it is no event. */
  take(line: string): "changed" | "same" | "gone" {
    if (line === "") return "same";
    const { type, object } = fieldsOf(JSON.parse(line));
    if (type === "ERROR") return "gone"; // 410, or the server can't go on
    const version = textOf(fieldsOf(fieldsOf(object).metadata).resourceVersion);
    if (version === "") throw new Error("an event without a version");
    this.version = version;
    if (type === "DELETED") this.objects.delete(nameOf(object));
    else if (type === "ADDED" || type === "MODIFIED") {
      this.objects.set(nameOf(object), this.read(object));
      if (this.objects.size > MAX_OBJECTS) throw new Error("too many objects");
    } else return "same";
    return "changed";
  }
}

function nameOf(object: unknown): string {
  return textOf(fieldsOf(fieldsOf(object).metadata).name);
}

/** What a Status says, on one line. */
function reasonIn(text: string): string {
  try {
    const message = textOf(fieldsOf(JSON.parse(text)).message).replace(/\s+/g, " ").slice(0, 200);
    return message === "" ? "" : `: ${printable(message)}`;
  } catch {
    return ""; // SyntaxError
  }
}

function readToken(path: string): string {
  let token: string;
  try {
    token = readPlainFileSync(path).trim();
  } catch (error) {
    throw new DiscoveryError(`Kubernetes: the token file ${messageOf(error)}`);
  }
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new DiscoveryError(`Kubernetes: the token file ${path} holds no token`);
}
