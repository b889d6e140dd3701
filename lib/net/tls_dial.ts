import net from "node:net";
import tls from "node:tls";
import { isIp } from "../address.ts";
import type { TlsOptions } from "./tls_options.ts";

/** Whom to dial by TLS. */
export type TlsDialOptions = {
  /** An address literal. */
  readonly address: string;
  readonly port: number;
  /** The name that the certificate must have, unless `tls` says another. For a literal it must be for `address`. */
  readonly host: string;
  readonly tls: TlsOptions;
  /** Ends the attempt, and afterwards the connection. */
  readonly signal: AbortSignal;
};

/**
 * Opens a TLS connection and completes its handshake. By `node:tls`, because nothing else verifies as it is told and can
 * be ended in the middle of a handshake: `signal` destroys the socket, whatever it is at. The caller destroys it.
 * @throws Error with the certificate's fault, or what happened to the connection; a timeout where `signal` ended it.
 */
export async function dialTls(options: TlsDialOptions): Promise<tls.TLSSocket> {
  const { address, port, host, signal } = options;
  const plain = await dialPlain(address, port, signal);
  const socket = tls.connect({
    socket: plain,
    host: address,
    servername: isIp(host) ? "" : host,
    ...options.tls,
  });
  socket.on("close", () => plain.destroy());
  return await opened(socket, "secureConnect", signal);
}

/**
 * Opens the TCP connection that TLS is spoken over. TLS that dials by itself keeps some 10 KiB for ever of each
 * connection that is refused (Deno 2.9), and a backend may be down for days. `signal` ends it, afterwards too.
 */
export async function dialPlain(
  host: string,
  port: number,
  signal: AbortSignal,
): Promise<net.Socket> {
  signal.throwIfAborted();
  return await opened(net.connect({ host, port }), "connect", signal);
}

/** The socket once it has said so. It is destroyed where it fails first, and when the signal aborts, now or later. */
function opened<T extends net.Socket>(socket: T, event: string, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error) => {
      socket.destroy();
      reject(signal.aborted ? new DOMException("timed out", "TimeoutError") : error);
    };
    const end = () => failed(new Error("stopped")); // at once: not every runtime tells of the close in a handshake
    signal.addEventListener("abort", end, { once: true });
    socket.on("error", failed); // stays: a later error must find a listener
    socket.once("close", () => {
      signal.removeEventListener("abort", end);
      failed(new Error("the connection was closed"));
    });
    socket.once(event, () => resolve(socket));
    if (signal.aborted) end();
  });
}
