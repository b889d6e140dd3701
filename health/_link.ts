/** Bytes to and from a backend, by TCP, TLS or UDP: what a probe talks through. */
import { isIPv6, unmap } from "../lib/address.ts";
import type { CheckTarget } from "../lib/kinds.ts";
import { dial } from "../lib/net/dial.ts";
import { dialTls } from "../lib/net/tls_dial.ts";
import type { TlsOptions } from "../lib/net/tls_options.ts";

/** An open way to a backend. Dispose it; when the signal of its opening aborts, it is closed and what waits rejects. */
export type Link = Disposable & {
  send(bytes: Uint8Array): Promise<void>;
  /** The bytes that come next; undefined when the backend has ended. */
  receive(): Promise<Uint8Array | undefined>;
};

const CHUNK_BYTES = 16_384;

/** Connects by TCP. */
export async function openTcp(target: CheckTarget, signal: AbortSignal): Promise<Link> {
  const conn = await dial(target.address, target.port, signal);
  const buffer = new Uint8Array(CHUNK_BYTES);
  return {
    ...closing(signal, () => conn[Symbol.dispose]()),
    async send(bytes) {
      for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
    },
    async receive() {
      const length = await conn.read(buffer);
      return length === null ? undefined : buffer.subarray(0, length);
    },
  };
}

/** Connects by TLS. */
export async function openTls(
  target: CheckTarget,
  tls: TlsOptions,
  signal: AbortSignal,
): Promise<Link> {
  const socket = await dialTls({ ...target, tls, signal });
  const chunks = socket[Symbol.asyncIterator]();
  return {
    ...closing(signal, () => void socket.destroy()),
    send: (bytes) =>
      new Promise((resolve, reject) => {
        socket.once("close", () => reject(new Error("the connection was closed")));
        socket.write(bytes, (error) => error ? reject(error) : resolve());
      }),
    async receive() {
      return (await chunks.next()).value;
    },
  };
}

/**
 * A socket of its own for datagrams. Only what comes from the backend's address and port counts. That nobody listens
 * there shows nowhere, so it is an answer that doesn't come.
 */
export function openUdp({ address, port }: CheckTarget, signal: AbortSignal): Promise<Link> {
  signal.throwIfAborted();
  const hostname = isIPv6(address) ? "::" : "0.0.0.0";
  const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
  const buffer = new Uint8Array(65_535);
  const to: Deno.NetAddr = { transport: "udp", hostname: address, port };
  const asked = canonical(address);
  return Promise.resolve({
    ...closing(signal, () => socket.close()),
    async send(bytes: Uint8Array) {
      await socket.send(bytes, to);
    },
    async receive() {
      for (;;) {
        const [bytes, from] = await socket.receive(buffer);
        if (from.transport !== "udp" || from.port !== port) continue;
        if (canonical(from.hostname) === asked) return bytes;
      }
    },
  });
}

/** The one way to write an address. */
function canonical(address: string): string {
  const plain = unmap(address);
  return isIPv6(plain) && !plain.includes("%") ? new URL(`http://[${plain}]/`).hostname : plain;
}

/** Closes once: when it is disposed, or when the signal aborts. */
function closing(signal: AbortSignal, close: () => void): Disposable {
  let open = true;
  const once = () => {
    if (!open) return;
    open = false;
    signal.removeEventListener("abort", once);
    close();
  };
  if (signal.aborted) once();
  else signal.addEventListener("abort", once, { once: true });
  return { [Symbol.dispose]: once };
}
