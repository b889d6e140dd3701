/** LXD's HTTP API: where the server is, and one question to it. */
import { fieldsOf, textOf } from "../lib/loose.ts";
import { DiscoveryError, messageOf, printable } from "../lib/errors.ts";
import { whatHappened } from "../lib/net/errors.ts";
import { type Answer, request } from "../lib/net/request.ts";
import type { TlsOptions } from "../lib/net/tls_options.ts";

/** Where a server listens. */
export type Place = {
  /** What it is called in messages, as it was written. */
  readonly name: string;
  readonly url: URL;
  /** Path of its unix socket, if that is where it listens. */
  readonly socketPath?: string;
};

/** A server and how it is spoken to. */
export type Server = {
  readonly place: Place;
  /** For `https:` only. */
  readonly tls?: TlsOptions;
  /** The file with the one certificate that is taken of it, if there is such a file. */
  readonly pinnedIn?: string | undefined;
};

/** A question; GET when it has no `body`, which is sent as JSON by POST. */
export type Question = { readonly path: string; readonly body?: unknown };

/** What a server has said. */
export type Said = {
  readonly status: number;
  /** The answer itself, where it isn't an error. */
  readonly metadata: unknown;
  /** What LXD says is wrong, short; empty when nothing is. */
  readonly error: string;
};

const EXAMPLE = 'for example "https://10.0.0.5:8443" or "unix:///var/lib/lxd/unix.socket"';
/** Containers with all that is known of them: some 5 KiB each. */
const MAX_BYTES = 64 << 20;

/** Takes `https://host:port`, or `unix://` and a path, apart. A string says what is wrong, and after a line break what to do. */
export function parseAddress(text: string): Place | string {
  const shown = JSON.stringify(text.replace(/\/\/.*@/, "//…@")); // no password in a message
  const [, path] = /^unix:(?:\/\/)?(\/[^/].*)$/i.exec(text) ?? [];
  if (path !== undefined) return { name: text, url: new URL("http://lxd/"), socketPath: path };
  if (/^unix:/i.test(text)) return `${shown} has no absolute path of a socket\n${EXAMPLE}`;
  const url = URL.parse(text);
  const alone = url !== null && url.protocol === "https:" && url.username + url.password === "" &&
    url.pathname + url.search + url.hash === "/";
  return alone ? { name: text, url } : `${shown} is not LXD's address\n${EXAMPLE}`;
}

/** Asks once. @throws DiscoveryError where nobody answers, or somebody who isn't LXD. */
export async function ask(server: Server, question: Question, signal: AbortSignal): Promise<Said> {
  const { place, tls } = server;
  const { body, path } = question;
  let answer: Answer;
  try {
    answer = await request({
      ...{ url: new URL(path, place.url), socketPath: place.socketPath, tls, signal },
      ...body === undefined ? {} : { method: "POST", body: JSON.stringify(body) },
      headers: body === undefined ? {} : { "content-type": "application/json" },
      maxBytes: MAX_BYTES,
    });
  } catch (error) {
    throw failure(place, explain(error, server), error);
  }
  const said = fieldsOf(parsed(answer.text));
  const error = printable(textOf(said.error).slice(0, 200));
  if (said.type === "sync" || said.type === "error") {
    return { status: answer.status, metadata: said.metadata, error };
  }
  const status = answer.status === 200 ? "" : ` (status ${answer.status})`;
  throw failure(place, `its answer isn't LXD's${status}; is it LXD's API that listens there?`);
}

/** An error that begins with who it was. */
export function failure({ name }: Place, what: string, cause?: unknown): DiscoveryError {
  return new DiscoveryError(`LXD at ${name}: ${what}`, { cause });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // SyntaxError
  }
}

/** What went wrong, and what to do where that can be told. */
function explain(error: unknown, { place, pinnedIn }: Server): string {
  const what = whatHappened(error);
  const text = `${(error as { code?: unknown }).code ?? ""} ${messageOf(error)}`;
  if (place.socketPath !== undefined) {
    if (/ENOENT|NotFound/.test(text)) return `${what}; there is no such socket: is LXD running?`;
    if (/EACCES|EPERM|denied/i.test(text)) {
      return `${what}; this user may not use the socket: put it into the group of the socket`;
    }
  }
  if (!isCertificateError(error)) return what;
  return pinnedIn === undefined
    ? `${what}; put the server's certificate into lxd_config_directory as ` +
      "servercerts/REMOTE.crt, or take the one that it shows first by lxd_accept_server_cert = true"
    : `${what}; it isn't the certificate in ${pinnedIn}: it has been changed, or somebody else ` +
      "answers. If LXD's administrator has changed it, remove that file; for a second server give " +
      "another lxd_server_remote_name";
}

/** Is it the other side's certificate that was refused? */
function isCertificateError(error: unknown): boolean {
  const text = `${(error as { code?: unknown }).code ?? ""} ${messageOf(error)}`;
  return /cert|issuer|self.signed|signature|altname/i.test(text);
}
