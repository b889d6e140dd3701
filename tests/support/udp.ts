/** Peers that speak datagrams: backends that answer, clients that ask. */
import type { UdpSpec } from "../../lib/udp_spec.ts";

/** A server of datagrams that never ends a session by itself. */
export const UDP: UdpSpec = {
  idleMs: 600_000,
  maxRequests: 0,
  maxResponses: 0,
  maxSessions: 4096,
  whenFull: "refuse",
  key: "address",
  bufferBytes: 16_384,
  followPort: false,
  maxUnanswered: 5,
  answerMs: 5_000,
};

/** What a peer sends back, each in a datagram of its own. */
export type Answerer = (text: string, from: Deno.NetAddr) => readonly string[];

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A socket on loopback that keeps what it gets. Dispose it. */
export class UdpPeer implements AsyncDisposable {
  readonly socket: Deno.DatagramConn;
  /** All that has come, with who has sent it. */
  readonly got: { readonly text: string; readonly from: Deno.NetAddr }[] = [];
  readonly #reading: Promise<void>;
  #waiting: (() => void)[] = [];
  #taken = 0;

  /** @param answer What it sends back; nothing without. */
  constructor(readonly answer: Answerer = () => [], hostname = "127.0.0.1", port = 0) {
    this.socket = Deno.listenDatagram({ transport: "udp", hostname, port });
    this.#reading = this.#read();
  }

  get address(): Deno.NetAddr {
    return this.socket.addr as Deno.NetAddr;
  }

  get port(): number {
    return this.address.port;
  }

  /** Sends a text to a port of loopback. */
  async send(text: string, port: number, hostname = this.address.hostname): Promise<void> {
    await this.socket.send(encoder.encode(text), { transport: "udp", hostname, port });
  }

  /** The next text that comes and wasn't taken yet; undefined where none comes in time. */
  async next(withinMs = 2_000): Promise<string | undefined> {
    const end = performance.now() + withinMs;
    while (this.#taken === this.got.length) {
      const left = end - performance.now();
      if (left <= 0) return undefined;
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, left);
      this.#waiting.push(resolve);
      await promise;
      clearTimeout(timer);
    }
    return this.got[this.#taken++]!.text;
  }

  /** Sends a text and gives what comes back. */
  async ask(text: string, port: number, withinMs?: number): Promise<string | undefined> {
    await this.send(text, port);
    return await this.next(withinMs);
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(65_535);
    for (;;) {
      try {
        const [data, from] = await this.socket.receive(buffer);
        const text = decoder.decode(data);
        this.got.push({ text, from: from as Deno.NetAddr });
        for (const resolve of this.#waiting.splice(0)) resolve();
        for (const answer of this.answer(text, from as Deno.NetAddr)) {
          await this.socket.send(encoder.encode(answer), from);
        }
      } catch {
        return; // it was closed
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.close();
    await this.#reading;
  }
}

/** A backend that answers with its name and what it got. */
export function named(name: string): UdpPeer {
  return new UdpPeer((text) => [`${name} ${text}`]);
}
