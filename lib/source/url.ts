import type { Clock } from "../clock.ts";
import { StartError } from "../errors.ts";
import { MASK, maskSecrets } from "../mask.ts";
import { poll } from "../poll.ts";
import { loginOf } from "../net/basic_auth.ts";
import { ask, type HttpAnswer, unusable } from "./http.ts";
import { formatOf } from "./limited.ts";
import { type BaseText, isSame, type Source, type SourceEvents } from "./source.ts";
import { Teller } from "./teller.ts";

/** How a configuration is had from a URL. */
export type UrlOptions = {
  /** By the path's extension when left out, then by the answer's content type. */
  readonly format?: "toml" | "json" | undefined;
  /** Time between two looks for a change; 0 never looks. */
  readonly intervalMs: number;
  /** Authorities to trust beside the usual ones, PEM. */
  readonly caFile?: string | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  /** Longest wait for an answer; 10 s when left out. */
  readonly timeoutMs?: number;
};

const TIMEOUT_MS = 10_000;

/**
 * A configuration from a web server, by http or https. A login in the URL becomes basic authentication.
 * @throws StartError when it isn't such a URL.
 */
export function urlSource(url: string, options: UrlOptions): Source {
  const page = new Page(parse(url), options);
  return {
    about: { kind: "url", url: page.name },
    read: (signal) => page.read(signal),
    ...options.intervalMs === 0 ? {} : { watch: (events, signal) => page.watch(events, signal) },
  };
}

function parse(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol)) return url;
  throw new StartError(
    `"${maskSecrets(text)}" is not a URL of http or https`,
    "write it whole, for example https://config.internal/twixt.toml",
    true,
  );
}

/** What a server sent last, and what it said to ask for a change with. */
type Version = {
  readonly base: BaseText;
  readonly etag: string | null;
  readonly lastModified: string | null;
};

class Page {
  /** The URL as messages show it. */
  readonly name: string;
  readonly #url: string;
  readonly #login: string | undefined;
  readonly #path: string;
  #version: Version | undefined;
  /** What was read or told last. */
  #last: BaseText | undefined;

  constructor(url: URL, readonly options: UrlOptions) {
    const { username, password, pathname } = url;
    this.#path = pathname;
    this.#login = loginOf(url);
    const shown = new URL(url);
    // a login without a password is most likely a token
    if (password !== "") shown.password = MASK;
    else if (username !== "") shown.username = MASK;
    shown.hash = "";
    this.name = maskSecrets(shown.href);
    const bare = new URL(url);
    bare.username = bare.password = bare.hash = "";
    this.#url = bare.href;
  }

  async read(signal?: AbortSignal): Promise<BaseText> {
    return this.#last = await this.#get(signal);
  }

  async watch(events: SourceEvents, signal: AbortSignal): Promise<void> {
    const { clock, random, intervalMs, timeoutMs = TIMEOUT_MS } = this.options;
    const teller = new Teller(events);
    if (this.#last !== undefined) await clock.sleep(intervalMs * (1 - random() / 10), signal);
    await poll({
      ...{ clock, random, signal, intervalMs },
      timeoutMs: timeoutMs + 1_000, // its own limit comes first, and says more
      ask: (signal) => this.#get(signal),
      onAnswer: (base) => {
        const before = this.#last;
        this.#last = base;
        teller.answered(isSame(before, base) ? undefined : base);
      },
      onFailure: (error) => teller.failed(error),
    });
  }

  async #get(signal?: AbortSignal): Promise<BaseText> {
    const { caFile, timeoutMs = TIMEOUT_MS } = this.options;
    const version = this.#version;
    const headers = conditions(version);
    if (this.#login !== undefined) headers.set("authorization", this.#login);
    const question = { url: this.#url, name: this.name, headers, redirects: true, caFile };
    const answer = await ask({ ...question, timeoutMs }, signal);
    if (answer.status === 304 && version !== undefined) return version.base;
    if (answer.status < 200 || answer.status > 299) throw this.#refused(answer);
    const base: BaseText = { text: answer.text, file: this.name, format: this.#formatOf(answer) };
    this.#version = {
      base,
      etag: answer.headers.get("etag"),
      lastModified: answer.headers.get("last-modified"),
    };
    return base;
  }

  #formatOf({ headers }: HttpAnswer): "toml" | "json" {
    const type = headers.get("content-type") ?? "";
    return formatOf(this.options.format, this.#path, /[/+]json\b/i.test(type) ? "json" : "toml");
  }

  #refused({ status }: HttpAnswer): StartError {
    const hint = status === 401 || status === 403
      ? "give a login that may read it: https://LOGIN:PASSWORD@HOST/PATH"
      : status === 404 || status === 410
      ? "check the path"
      : status < 500
      ? "check the address; it must answer with status 200"
      : "the server has a problem of its own; look at its log";
    return unusable({ name: this.name }, `the server answers with status ${status}`, hint);
  }
}

/** The headers that make a server say "not modified". */
function conditions(version: Version | undefined): Headers {
  const headers = new Headers();
  if (version?.etag) headers.set("if-none-match", version.etag);
  if (version?.lastModified) headers.set("if-modified-since", version.lastModified);
  return headers;
}
