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
export function dialTls(options: TlsDialOptions): Promise<tls.TLSSocket> {
  const { address, port, host, signal } = options;
  signal.throwIfAborted();
  const socket = tls.connect({
    host: address,
    port,
    servername: isIp(host) ? "" : host,
    ...options.tls,
  });
  const end = () => void socket.destroy();
  signal.addEventListener("abort", end, { once: true });
  socket.on("close", () => signal.removeEventListener("abort", end));
  return new Promise((resolve, reject) => {
    const failed = (error: Error) => {
      socket.destroy();
      reject(signal.aborted ? new DOMException("timed out", "TimeoutError") : error);
    };
    socket.on("error", failed); // stays: an error after the handshake must find a listener
    socket.once("close", () => failed(new Error("closed before the end of the handshake")));
    socket.once("secureConnect", () => resolve(socket));
  });
}
