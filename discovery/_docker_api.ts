/** Docker's HTTP API: where the daemon is, and one question to it. */
import { isIp, parseHostPort, printHostPort } from "../lib/address.ts";
import { DiscoveryError, messageOf, printable } from "../lib/errors.ts";
import { type Request, request, stream } from "../lib/net/request.ts";
import { type TlsFiles, tlsOptions } from "../lib/net/tls_options.ts";

/** Where a daemon listens. */
export type Endpoint = {
  /** What it is called in messages, as it was written. */
  readonly name: string;
  readonly url: URL;
  /** Path of its unix socket, if that is where it listens. */
  readonly socketPath?: string;
  /** Where ports are that its containers publish on all addresses. */
  readonly host: string;
};

/** A daemon and how it is spoken to. */
export type Daemon = {
  readonly endpoint: Endpoint;
  /** Files for TLS; read at each question. */
  readonly tls: TlsFiles;
};

/** A path of the API and its filters, each of which wants one of its values. */
export type Question = {
  readonly path: string;
  readonly filters?: Readonly<Record<string, readonly string[]>>;
};

const EXAMPLE = 'for example "unix:///var/run/docker.sock" or "tcp://10.0.0.5:2375"';
/** What Docker's own client takes for `tcp://host`. */
const PORTS: Readonly<Record<string, string>> = { "http:": "2375", "https:": "2376" };

/**
 * Takes `http://`, `https://`, `tcp://` (or nothing) and an address, or `unix://` and a path, apart; with `tls` every
 * address is spoken to by TLS. A string says what is wrong, and after a line break what to do.
 */
export function parseEndpoint(text: string, tls: boolean): Endpoint | string {
  const [, scheme = "tcp", rest = ""] = /^(?:([a-z]+):\/\/)?(.*)$/i.exec(text) ?? [];
  const kind = scheme.toLowerCase();
  const shown = JSON.stringify(text.replace(/^(.*\/\/|).*@/, "$1…@")); // no password in a message
  if (kind === "unix") {
    if (!rest.startsWith("/")) return `${shown} has no path of a socket\n${EXAMPLE}`;
    const url = new URL("http://docker/");
    return { name: text, url, socketPath: rest, host: "127.0.0.1" };
  }
  if (!["tcp", "http", "https"].includes(kind)) {
    return `${shown} is not an endpoint of Docker\n${EXAMPLE}`;
  }
  const address = rest.replace(/\/$/, "");
  if (address === "" || /[\s/?#@]/.test(address)) {
    return `${shown} is not an address and nothing else\n${EXAMPLE}`;
  }
  const protocol = tls || kind === "https" ? "https:" : "http:";
  const port = kind === "tcp" ? PORTS[protocol]! : protocol === "https:" ? "443" : "80";
  const complete = /:\d+$/.test(address) && !isIp(address) ? address : `${address}:${port}`;
  const parsed = parseHostPort(complete);
  if (typeof parsed === "string") return parsed;
  if (parsed.host === "" || parsed.port === 0) return `${shown} has no host or port\n${EXAMPLE}`;
  const url = `${protocol}//${printHostPort(parsed.host, parsed.port)}/`;
  if (!URL.canParse(url)) return `${shown} has no valid host\n${EXAMPLE}`;
  return { name: text, url: new URL(url), host: parsed.host };
}

/** Asks once. @throws DiscoveryError where the answer isn't one with status 200 and JSON in it. */
export async function ask(
  daemon: Daemon,
  question: Question,
  signal: AbortSignal,
): Promise<unknown> {
  const { text } = await reply(daemon, question, (one) => request({ ...one, signal }));
  try {
    return JSON.parse(text);
  } catch {
    throw failure(daemon, "its answer isn't JSON; is it Docker's API that listens there?");
  }
}

/** Listens to a path that goes on and on. @throws DiscoveryError where its status isn't 200. */
export async function listen(
  daemon: Daemon,
  question: Question,
  signal: AbortSignal,
): Promise<AsyncIterable<string>> {
  const { lines } = await reply(daemon, question, async (one) => {
    const answer = await stream({ ...one, signal });
    return { ...answer, text: answer.status === 200 ? "" : await firstOf(answer.lines) };
  });
  return lines;
}

/** An answer that isn't 200, with what the daemon has said. */
export class RefusedError extends DiscoveryError {
  /** Says so in `message`, and which status it had. */
  constructor(message: string, readonly status: number) {
    super(message);
  }
}

type Reply = { readonly status: number; readonly text: string };

/** How a daemon says that it wants to be asked for a version. */
const DEMAND = /minimum supported api version is (\d+\.\d+)/i;
/** Daemons whose version the path names would refuse older clients; so no version is named unless they want it. */
async function reply<T extends Reply>(
  daemon: Daemon,
  question: Question,
  send: (request: Omit<Request, "signal">) => Promise<T>,
): Promise<T> {
  const to = (prefix: string) => attempt(daemon, () => send(requestOf(daemon, question, prefix)));
  let answer = await to("");
  const demanded = answer.status === 400 ? DEMAND.exec(answer.text)?.[1] : undefined;
  if (demanded !== undefined) answer = await to(`/v${demanded}`);
  if (answer.status === 200) return answer;
  const said = saidIn(answer.text);
  const what = `${question.path} was answered with status ${answer.status}${said && `: ${said}`}`;
  throw new RefusedError(failure(daemon, what).message, answer.status);
}

function requestOf(daemon: Daemon, question: Question, prefix: string): Omit<Request, "signal"> {
  const { endpoint, tls } = daemon;
  const url = new URL(endpoint.url);
  url.pathname = `${prefix}${question.path}`;
  const filters = JSON.stringify(question.filters ?? {});
  if (filters !== "{}") url.searchParams.set("filters", filters);
  return {
    url,
    socketPath: endpoint.socketPath,
    ...url.protocol === "https:" ? { tls: tlsOptions(tls) } : {},
  };
}

async function attempt<T>(daemon: Daemon, send: () => Promise<T>): Promise<T> {
  try {
    return await send();
  } catch (error) {
    throw failure(daemon, explain(error, daemon), error);
  }
}

/** What went wrong, and what to do where that can be told. */
function explain(error: unknown, { endpoint, tls }: Daemon): string {
  const what = messageOf(error);
  const text = `${(error as { code?: unknown }).code ?? ""} ${what}`;
  if (endpoint.socketPath !== undefined) {
    if (/ENOENT|NotFound/.test(text)) return `${what}; there is no such socket: is Docker running?`;
    if (/EACCES|EPERM|denied/i.test(text)) {
      return `${what}; this user may not use the socket: put it into the group of the socket`;
    }
  }
  if (!/cert|issuer|self.signed|signature|altname|ERR_TLS/i.test(text)) return what;
  if (/alert|certificate required/i.test(text) && tls.certPath === undefined) {
    return `${what}; the daemon wants a certificate of ours: ` +
      "give docker_tls_cert_path and docker_tls_key_path";
  }
  return `${what}; give the daemon's authority in docker_tls_cacert_path. gobetween verifies nobody ` +
    "where there is none: docker_tls_insecure = true does the same, and then anybody may answer";
}

function failure({ endpoint }: Daemon, what: string, cause?: unknown): DiscoveryError {
  return new DiscoveryError(`Docker at ${endpoint.name}: ${what}`, { cause });
}

/** What an error answer says, short. */
function saidIn(text: string): string {
  let said = text;
  try {
    said = String(JSON.parse(text).message ?? text);
  } catch {
    // not JSON: a proxy's page, or plain text
  }
  return printable(said.trim().slice(0, 200));
}

async function firstOf(lines: AsyncIterable<string>): Promise<string> {
  for await (const line of lines) return line;
  return "";
}
