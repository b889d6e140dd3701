/** GET for discoveries: an answer of 2xx, after at most five redirects, or an error that says why not. */
import { DiscoveryError } from "../errors.ts";
import { maskSecrets } from "../mask.ts";
import { loginOf } from "./basic_auth.ts";
import { type Answer, request } from "./request.ts";
import { type TlsFiles, tlsOptions } from "./tls_options.ts";

/** What is asked for. */
export type GetOptions = {
  /** Of http or https; a login in it becomes basic authentication. */
  readonly url: string;
  /** The files are read at each question: they may be renewed. */
  readonly tls: TlsFiles;
  readonly accept: string;
  readonly signal: AbortSignal;
};

const MAX_REDIRECTS = 5;

/**
 * Asks, and follows redirects within http and https; never from https to http. Login and client certificate go to the
 * first address alone. @throws DiscoveryError when there is no answer of 2xx.
 */
export async function getText(options: GetOptions): Promise<string> {
  let url = new URL(options.url);
  const { origin } = url;
  for (let redirects = 0;; redirects++) {
    const answer = await once(url, url.origin === origin, options);
    if (answer.status >= 200 && answer.status < 300) return answer.text;
    const next = REDIRECTS.includes(answer.status) ? nextOf(url, answer) : undefined;
    if (next === undefined) throw new DiscoveryError(refusal(url, answer.status));
    if (redirects === MAX_REDIRECTS) {
      throw new DiscoveryError(`${shown(url)} redirects more than ${MAX_REDIRECTS} times`);
    }
    url = next;
  }
}

const REDIRECTS = [301, 302, 303, 307, 308];

/** Where a redirect leads; undefined where it doesn't say. @throws DiscoveryError where nobody should go. */
function nextOf(url: URL, { headers: { location } }: Answer): URL | undefined {
  if (typeof location !== "string" || !URL.canParse(location, url.href)) return undefined;
  const next = new URL(location, url);
  if (next.protocol !== "https:" && next.protocol !== "http:") {
    throw new DiscoveryError(`${shown(url)} redirects to ${next.protocol}, which isn't followed`);
  }
  if (url.protocol === "https:" && next.protocol === "http:") {
    const text = `${shown(url)} redirects from https to plain http, which isn't followed`;
    throw new DiscoveryError(`${text}: name an address that stays with https`);
  }
  if (next.origin === url.origin && next.username === "") {
    next.username = url.username;
    next.password = url.password;
  }
  return next;
}

async function once(url: URL, first: boolean, options: GetOptions): Promise<Answer> {
  const login = first ? loginOf(url) : undefined;
  const files = first ? options.tls : { ...options.tls, certPath: undefined, keyPath: undefined };
  try {
    return await request({
      url,
      tls: url.protocol === "https:" ? tlsOptions(files) : undefined,
      headers: {
        accept: options.accept,
        "user-agent": "twixt",
        ...login && { authorization: login },
      },
      signal: options.signal,
    });
  } catch (error) {
    throw new DiscoveryError(`${shown(url)}: ${reasonOf(error)}`, { cause: error });
  }
}

function refusal(url: URL, status: number): string {
  const hint = status === 401 || status === 403
    ? ": give a login that may read it, https://LOGIN:PASSWORD@HOST/PATH"
    : status === 404 || status === 410
    ? ": check the path"
    : "";
  return `${shown(url)} answers with status ${status}${hint}`;
}

/** What happened, in a few words. A connection that several addresses refuse has a reason for each. */
function reasonOf(error: unknown): string {
  const all = error instanceof AggregateError ? error.errors : [error];
  const { code, message } = (all[0] ?? error) as { code?: unknown; message?: string };
  return maskSecrets(REASONS[String(code)] ?? (message || "the connection failed"));
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "the connection was reset",
  EHOSTUNREACH: "no route to host",
  ENETUNREACH: "network unreachable",
  ENOTFOUND: "its host's name is unknown",
  EAI_AGAIN: "its host's name can't be resolved now",
};

/** A URL without its login and what follows its path: both may hold secrets. */
function shown(url: URL): string {
  return `${url.origin}${url.pathname}`;
}
