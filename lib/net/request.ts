/** HTTP for discoveries and checks: over TCP, TLS or a unix socket, bounded in bytes, without connections kept. */
import http from "node:http";
import https from "node:https";
import type net from "node:net";
import { createSecureContext, type SecureContext } from "node:tls";
import { isIp } from "../address.ts";
import { GrowingBytes } from "../growing_bytes.ts";
import { onAbort } from "../own.ts";
import { dialPlain } from "./tls_dial.ts";
import type { TlsOptions } from "./tls_options.ts";

/** One request. */
export type Request = {
  /** `http:` or `https:`; for a unix socket its host is what the Host header says. */
  readonly url: URL;
  /** Path of a unix socket to ask instead of the URL's host. */
  readonly socketPath?: string | undefined;
  /** Address literal and port to dial instead of the URL's; TLS still goes by the URL's host. */
  readonly dial?: { readonly address: string; readonly port: number } | undefined;
  /** GET when left out. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly tls?: TlsOptions | undefined;
  /** Longest answer, 8 MiB when left out. */
  readonly maxBytes?: number;
  /** Takes the beginning of an answer that is longer, instead of failing. */
  readonly cut?: boolean;
  readonly signal: AbortSignal;
};

/** An answer, whatever its status; redirects aren't followed. */
export type Answer = {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Its body as text. */
  readonly text: string;
};

const MAX_BYTES = 8 << 20;

/** Asks once. @throws Error that says what went wrong: no connection, too long an answer, told to stop. */
export async function request(question: Request): Promise<Answer> {
  const message = await send(question);
  const late = Promise.withResolvers<never>();
  late.promise.catch(() => {}); // nobody may be waiting for it any more
  // Deno 2.6 doesn't tell who reads a body that it was given up
  using _signal = onAbort(question.signal, () => {
    message.destroy();
    late.reject(new Error(LATE));
  });
  return await Promise.race([bodyOf(message, question), late.promise]);
}

async function bodyOf(
  message: http.IncomingMessage,
  { maxBytes = MAX_BYTES, cut = false }: Request,
): Promise<Answer> {
  const body = new GrowingBytes();
  if (cut && maxBytes === 0) {
    message.on("error", () => {}); // nobody waits for the rest
    message.destroy();
    return { status: message.statusCode ?? 0, headers: message.headers, text: "" };
  }
  for await (const chunk of message) { // leaving it closes the connection
    body.add(cut ? chunk.subarray(0, maxBytes - body.length) : chunk);
    if (cut && body.length >= maxBytes) break;
    if (body.length > maxBytes) {
      throw new Error(`the answer is longer than ${Math.floor(maxBytes / 1024 / 1024)} MiB`);
    }
  }
  const text = new TextDecoder().decode(body.bytes());
  return { status: message.statusCode ?? 0, headers: message.headers, text };
}

/** An answer that goes on for as long as the other side likes. */
export type Stream = Omit<Answer, "text"> & {
  /** Its lines, without their ends, as they come. @throws Error when one is longer than `maxBytes`, or it breaks off. */
  readonly lines: AsyncIterable<string>;
};

/** Asks once for an answer that is read line by line. It ends with `signal`, or when `lines` is left. */
export async function stream(question: Request): Promise<Stream> {
  const message = await send(question);
  const { maxBytes = MAX_BYTES } = question;
  const { statusCode: status = 0, headers } = message;
  return { status, headers, lines: linesOf(message, maxBytes) };
}

async function* linesOf(message: http.IncomingMessage, maxBytes: number): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of message) {
    const text = decoder.decode(chunk, { stream: true });
    const lines = text.includes("\n") ? (rest + text).split("\n") : [rest + text]; // split once a line
    rest = lines.pop()!;
    if (rest.length > maxBytes) throw new Error("a line of the answer is too long");
    for (const line of lines) yield line.endsWith("\r") ? line.slice(0, -1) : line;
  }
  if (rest !== "") yield rest;
}

/**
 * Made here, because without one `node:https` reads all of the system's authorities for each connection, and half a MiB
 * of that is never freed (Deno 2.9).
 */
function contextOf({ ca, cert, key }: Partial<TlsOptions> = {}): SecureContext {
  return createSecureContext({
    ...ca === undefined ? {} : { ca },
    ...cert === undefined ? {} : { cert },
    ...key === undefined ? {} : { key },
  });
}

async function send(question: Request): Promise<http.IncomingMessage> {
  const { url, socketPath, dial, method = "GET", headers, body, tls, signal } = question;
  signal.throwIfAborted();
  const secure = url.protocol === "https:";
  const name = url.hostname.replace(/^\[|\]$/g, "");
  const host = dial?.address ?? name;
  const port = dial?.port ?? Number(url.port || (secure ? 443 : 80));
  const plain = secure && socketPath === undefined
    ? await dialPlain(host, port, signal).catch((error) => {
      throw signal.aborted ? new Error(LATE) : error;
    })
    : undefined;
  const options: https.RequestOptions & { socket?: net.Socket } = {
    ...socketPath === undefined ? { host, port } : { socketPath },
    path: `${url.pathname}${url.search}`,
    method,
    headers: { host: url.host, ...headers },
    agent: false, // a connection of its own, closed in the end
    signal,
    // empty for a literal, which is no server name: the certificate must then be for the address that is dialled
    ...secure ? { servername: isIp(name) ? "" : name, ...tls, secureContext: contextOf(tls) } : {},
    ...plain === undefined ? {} : { socket: plain },
  };
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
  const sent = (secure ? https : http).request(options, (message) => {
    message.on("close", () => plain?.destroy());
    resolve(message);
  });
  const fail = (error: Error) => {
    plain?.destroy();
    reject(signal.aborted ? new Error(LATE) : error);
  };
  sent.on("error", fail);
  sent.on("close", () => fail(new Error(ENDED))); // after 101 there is neither an answer nor an error
  let informed = 0;
  sent.on("information", () => {
    if (++informed > MAX_INFORMED) sent.destroy(new Error("it says 100 Continue without end"));
  });
  sent.end(body);
  using _late = onAbort(signal, () => { // Deno 2.6 may tell nobody
    sent.destroy();
    fail(new Error(LATE));
  });
  return await promise;
}

const LATE = "no answer in time";
const ENDED = "the connection ended without an answer";
/** Provisional answers (RFC 9110, section 15.2) before the one that counts. */
const MAX_INFORMED = 10;
