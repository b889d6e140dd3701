import { messageOf, StartError } from "../errors.ts";
import { maskSecrets } from "../mask.ts";
import { MAX_BYTES, readUpTo, utf8 } from "./limited.ts";
import { TimeLimit } from "../time_limit.ts";
import { readPemFile } from "./pem.ts";

/** What is asked for, and how. */
export type HttpQuestion = {
  /** Without credentials. */
  readonly url: string;
  /** What it is called in messages; no secrets. */
  readonly name: string;
  readonly headers: Headers;
  /** Follows redirects; otherwise one is an answer like any other. */
  readonly redirects: boolean;
  /** Authorities to trust beside the usual ones, PEM. Read at each question: they may be renewed. */
  readonly caFile?: string | undefined;
  /** Longest wait for the whole answer. */
  readonly timeoutMs: number;
  readonly maxBytes?: number;
};

/** An answer, whatever its status. */
export type HttpAnswer = {
  readonly status: number;
  readonly headers: Headers;
  /** Of an answer that isn't 2xx only the beginning. */
  readonly text: string;
};

/** What is read of an answer that says no. */
const MAX_REFUSAL_BYTES = 64 * 1024;

/**
 * Asks once by HTTP, over a connection of its own, which is closed in the end. Proxies of the environment are used.
 * @throws StartError when there is no usable answer.
 */
export async function ask(question: HttpQuestion, signal?: AbortSignal): Promise<HttpAnswer> {
  using client = clientFor(question);
  using limit = new TimeLimit(question.timeoutMs, signal);
  try {
    const init = {
      headers: question.headers,
      redirect: question.redirects ? "follow" : "manual",
      signal: limit.signal,
      client,
    } as RequestInit; // the browser's type, which has no client
    const response = await fetch(question.url, init);
    if (question.url.startsWith("https:") && response.url.startsWith("http:")) {
      await response.body?.cancel();
      throw unusable(question, "redirects to plain http", "name an address that stays with https");
    }
    return await answerOf(question, response);
  } catch (error) {
    if (error instanceof StartError) throw error;
    const why = limit.late
      ? `no answer within ${question.timeoutMs / 1000} s`
      : signal?.aborted
      ? "told to stop"
      : reasonOf(error, question.url);
    throw unusable(question, why, HINT, error);
  }
}

const HINT = "is the address right, and can this host reach it?";

async function answerOf(question: HttpQuestion, response: Response): Promise<HttpAnswer> {
  const { status, headers, ok, body } = response;
  const maxBytes = ok ? question.maxBytes ?? MAX_BYTES : MAX_REFUSAL_BYTES;
  const bytes = body === null ? new Uint8Array() : await readUpTo(body, maxBytes);
  if (bytes === undefined && ok) {
    const size = `${Math.floor(maxBytes / 1024 / 1024)} MiB`;
    throw unusable(question, `sends more than ${size}`, "it should send a configuration");
  }
  const text = utf8(bytes ?? new Uint8Array());
  if (text === undefined && ok) {
    throw unusable(question, "sends what is not UTF-8 text", "it should send a configuration");
  }
  return { status, headers, text: text ?? "" };
}

function clientFor({ caFile }: HttpQuestion): Deno.HttpClient {
  const alone = { poolMaxIdlePerHost: 0 };
  if (caFile === undefined) return Deno.createHttpClient(alone);
  try {
    return Deno.createHttpClient({ ...alone, caCerts: [readPemFile(caFile, "CERTIFICATE")] });
  } catch (error) {
    if (error instanceof StartError) throw new StartError(error.message, error.hint, true);
    throw new StartError(
      `${caFile} holds a certificate that can't be used: ${messageOf(error)}`,
      "name the certificate of an authority, in PEM form",
      true,
    );
  }
}

/** Why a request failed, without the runtime's words around it. */
function reasonOf(error: unknown, url: string): string {
  const cause = error instanceof Error ? error.cause ?? error : error;
  const text = messageOf(cause)
    .replaceAll(url, "")
    .replace(/^error sending request( for url \([^)]*\))?(: )?/, "")
    .replace(/^client error \(\w+\): /, "")
    .replace(/^tcp connect error: /, "")
    .replace(/ \(os error \d+\)$/, "");
  const first = text.charAt(0).toLowerCase() + text.slice(1);
  return maskSecrets(first || "the connection failed");
}

/** An answer that can't be used, or none. */
export function unusable(
  { name }: Pick<HttpQuestion, "name">,
  what: string,
  hint: string,
  cause?: unknown,
): StartError {
  return new StartError(`${name}: ${what}`, hint, false, cause);
}
