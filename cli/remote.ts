import { messageOf, StartError } from "../lib/errors.ts";
import { basicAuth } from "../lib/net/basic_auth.ts";

/** How the commands that talk to a running Twixt find it. */
export type RemoteOptions = {
  /** `host:port` of its API. */
  readonly api: string;
  /** `login:password`. */
  readonly login?: string | undefined;
};

/** A reload may have to wait for its source, which has a limit of its own. */
const TIMEOUT_MS = 60_000;

/**
 * Asks the API of a running Twixt. Returns the answer's JSON.
 * @throws StartError with what the API says is wrong, or that nobody answers.
 */
export async function askApi(
  remote: RemoteOptions,
  method: string,
  path: string,
  body?: unknown,
): Promise<unknown> {
  const { api, login = Deno.env.get("TWIXT_LOGIN") } = remote;
  const headers = new Headers();
  if (login !== undefined) headers.set("authorization", basicAuth(login));
  if (body !== undefined) headers.set("content-type", "application/json");
  // a login isn't for proxies
  for (const name of ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]) Deno.env.delete(name);
  let response: Response;
  try {
    response = await fetch(`${baseOf(api)}${path}`, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (error) {
    throw new StartError(
      `no answer from the API at ${api}: ${messageOf(error)}`,
      "is Twixt running with [api] enabled = true? Name its address with --api",
    );
  }
  const answer = await response.json().catch(() => undefined);
  if (response.ok) return answer;
  throw refused(api, response.status, answer);
}

function baseOf(api: string): string {
  return (/^https?:/.test(api) ? api : `http://${api}`).replace(/\/+$/, "");
}

/** One thing that is wrong, as the API says it. */
type Complaint = {
  readonly error?: string;
  readonly key?: string;
  readonly hint?: string;
  readonly file?: string;
  readonly line?: number;
};

function refused(api: string, status: number, answer: unknown): StartError {
  const first = (answer ?? {}) as Complaint & { readonly problems?: readonly Complaint[] };
  const login = status === 401 ? "; give it with --login LOGIN:PASSWORD or TWIXT_LOGIN" : "";
  if (first.problems === undefined) {
    const text = complaint({ error: `status ${status}`, ...first });
    return new StartError(`the API at ${api} says: ${text}`, `${first.hint ?? ""}${login}`);
  }
  const lines = first.problems.flatMap((
    each,
  ) => [
    complaint(each),
    ...each.hint ? [`  ${each.hint}`] : [],
  ]);
  return new StartError(
    `the API at ${api} says:\n       ${lines.join("\n       ")}`,
    "nothing has been changed",
  );
}

/** `twixt.toml:12: servers.web.bind: "x" is not an address` */
function complaint({ error = "", key, file, line }: Complaint): string {
  const place = file === undefined ? "" : `${file}:${line}: `;
  return `${place}${key === undefined ? "" : `${key}: `}${error}`;
}
