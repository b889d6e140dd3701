import { parseHostPort } from "../address.ts";
import type { Clock } from "../clock.ts";
import { messageOf, StartError } from "../errors.ts";
import { poll } from "../poll.ts";
import { nextIndex } from "./consul_index.ts";
import { ask, type HttpAnswer, type HttpQuestion, unusable } from "./http.ts";
import { formatOf, MAX_BYTES, utf8 } from "./limited.ts";
import { readPlainFile } from "./plain_file.ts";
import { type BaseText, isSame, type Source, type SourceEvents } from "./source.ts";
import { Teller } from "./teller.ts";

/** How a configuration is had from Consul. */
export type ConsulOptions = {
  readonly key: string;
  readonly scheme: "http" | "https";
  /** By the key's extension when left out. */
  readonly format?: "toml" | "json" | undefined;
  /** The datacenter; the agent's own when left out. */
  readonly datacenter?: string | undefined;
  /** Authorities to trust beside the usual ones, PEM. */
  readonly caFile?: string | undefined;
  /** Where the token is; read at each question. */
  readonly token: ConsulToken;
  readonly clock: Clock;
  readonly random: () => number;
  /** Longest wait of the server for a change; 30 s when left out. */
  readonly waitMs?: number;
  /** Longest wait for an answer beyond that; 10 s when left out. */
  readonly timeoutMs?: number;
};

/** A token, or the file that holds it, which comes first where both are given: Consul's own order. */
export type ConsulToken = {
  readonly value?: string | undefined;
  readonly file?: string | undefined;
};

const WAIT_MS = 30_000;
const TIMEOUT_MS = 10_000;
/** Longest pause after a failure. */
const RETRY_MS = 5_000;
/** Pause after each answer, so that a key that changes all the time costs little. */
const PAUSE_MS = 100;
/** A value stands in its answer in base64, with some words around it. */
const MAX_ANSWER_BYTES = MAX_BYTES / 3 * 4 + 64 * 1024;

/**
 * A configuration that is the value of a key of Consul. Changes arrive as they are made: the server answers when there
 * is one.
 * @throws StartError when address or key can't be right.
 */
export function consulSource(address: string, options: ConsulOptions): Source {
  const key = new ConsulKey(address, options);
  return {
    about: { kind: "consul", host: address, key: options.key },
    read: (signal) => key.read(signal),
    watch: (events, signal) => key.watch(events, signal),
  };
}

const IS_IT_CONSUL = "is the address that of a Consul agent's HTTP API?";

class ConsulKey {
  /** What messages call it. */
  readonly #name: string;
  readonly #url: string;
  /** What to wait with; 0 doesn't wait. */
  #index = 0;
  /** What was read or told last. */
  #last: BaseText | undefined;

  constructor(address: string, readonly options: ConsulOptions) {
    const { key, scheme } = options;
    const parsed = parseHostPort(address);
    if (typeof parsed === "string" || parsed.host === "") {
      const [what] = typeof parsed === "string" ? parsed.split("\n") : [`"${address}" has no host`];
      throw new StartError(`Consul: ${what}`, "write host:port, for example 127.0.0.1:8500", true);
    }
    const parts = key.split("/");
    if (parts[0] === "" || parts.some((part) => part === "." || part === "..")) {
      throw new StartError(
        `"${key}" can't be a key of Consul`,
        'it starts without "/" and has no "." or ".." between two of them',
        true,
      );
    }
    this.#name = `key "${key}" of Consul at ${address}`;
    this.#url = `${scheme}://${address}/v1/kv/${parts.map(encodeURIComponent).join("/")}`;
  }

  async read(signal?: AbortSignal): Promise<BaseText> {
    const { base, index } = await this.#get(0, signal);
    this.#index = index;
    return this.#last = base;
  }

  async watch(events: SourceEvents, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.options;
    const teller = new Teller(events);
    await poll({
      ...{ clock, random, signal },
      intervalMs: RETRY_MS,
      timeoutMs: this.#limitMs(1) + 1_000, // its own limit comes first, and says more
      ask: (signal) => this.#get(this.#index, signal),
      onAnswer: ({ base, index }) => {
        const before = this.#last;
        this.#last = base;
        this.#index = index;
        teller.answered(isSame(before, base) ? undefined : base);
        return PAUSE_MS;
      },
      onFailure: (error) => {
        this.#index = 0; // whoever answers next may be another server
        teller.failed(error);
      },
    });
  }

  /** The limit of one question; a server waits up to a sixteenth longer than it is asked to. */
  #limitMs(index: number): number {
    const { waitMs = WAIT_MS, timeoutMs = TIMEOUT_MS } = this.options;
    return timeoutMs + (index > 0 ? waitMs + waitMs / 16 : 0);
  }

  async #get(
    index: number,
    signal?: AbortSignal,
  ): Promise<{ readonly base: BaseText; readonly index: number }> {
    const { datacenter, waitMs = WAIT_MS, caFile, token } = this.options;
    const url = new URL(this.#url);
    if (datacenter !== undefined) url.searchParams.set("dc", datacenter);
    if (index > 0) {
      url.searchParams.set("index", String(index));
      url.searchParams.set("wait", `${waitMs}ms`);
    }
    const headers = new Headers();
    const secret = await read(token);
    if (secret !== undefined) headers.set("x-consul-token", secret);
    const question: HttpQuestion = {
      ...{ url: url.href, name: this.#name, headers, caFile },
      redirects: false, // whoever it leads to would get the token
      timeoutMs: this.#limitMs(index),
      maxBytes: MAX_ANSWER_BYTES,
    };
    const answer = await ask(question, signal);
    if (answer.status !== 200) throw this.#refused(answer, secret !== undefined);
    const base: BaseText = {
      text: this.#valueOf(answer),
      file: this.#name,
      format: formatOf(this.options.format, this.options.key),
    };
    return { base, index: nextIndex(index, answer.headers.get("x-consul-index")) };
  }

  #valueOf({ text }: HttpAnswer): string {
    const fail = (what: string, hint: string) => unusable({ name: this.#name }, what, hint);
    const value = valueIn(text);
    if (value === undefined) throw fail("the answer isn't Consul's", IS_IT_CONSUL);
    if (value.length === 0) throw fail("it is empty", this.#put());
    const plain = utf8(value);
    if (plain === undefined) throw fail("its value is not UTF-8 text", this.#put());
    return plain;
  }

  #refused({ status, text }: HttpAnswer, withToken: boolean): StartError {
    const fail = (what: string, hint: string) => unusable({ name: this.#name }, what, hint);
    if (status === 404) return fail("there is no such key", this.#put());
    const said = /^[\x20-\x7e]{1,100}$/.test(text.trim()) ? `: ${text.trim()}` : "";
    if (status === 403) {
      return fail(
        `its ACLs don't let ${withToken ? "this token" : "anybody without a token"} read it${said}`,
        `give a token that may, in CONSUL_HTTP_TOKEN or CONSUL_HTTP_TOKEN_FILE; ` +
          `its policy needs key "${this.options.key}" { policy = "read" }`,
      );
    }
    return fail(`status ${status}${said}`, status < 500 ? IS_IT_CONSUL : "look at Consul's log");
  }

  #put(): string {
    return `put a configuration there: consul kv put ${this.options.key} @twixt.toml`;
  }
}

/** The token, if there is one. Whoever renews it writes its file anew. */
async function read({ value, file }: ConsulToken): Promise<string | undefined> {
  if (file === undefined) return value;
  try {
    return (await readPlainFile(file)).trim();
  } catch (error) {
    throw new StartError(`the token file ${messageOf(error)}`, "mend CONSUL_HTTP_TOKEN_FILE");
  }
}

/** The value in an answer about one key; undefined when there is none such in it. */
function valueIn(text: string): Uint8Array | undefined {
  try {
    const value: unknown = JSON.parse(text)[0].Value;
    if (value === null) return new Uint8Array();
    return Uint8Array.from(atob(String(value)), (char) => char.charCodeAt(0));
  } catch {
    return undefined; // not JSON, not a list, or not base64
  }
}
