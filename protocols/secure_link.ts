import type { TLSSocket } from "node:tls";
import type { Link } from "./link.ts";
import type { Buffers } from "./buffers.ts";
import { RawStream } from "./raw_stream.ts";
import type { First } from "./session.ts";

/**
 * A connection that speaks TLS by `node:tls`, as sessions use it. Where the runtime's own TLS can't do what is asked for:
 * it doesn't let go of a peer that is silent, has no versions, takes no client's certificate, and verifies always. It costs
 * about twice as much (docs/performance.md).
 */
export class SecureLink implements Link {
  readonly #socket: TLSSocket;
  readonly #raw: RawStream;
  /** What has arrived and wasn't read: less than a read of the connection below. */
  readonly #arrived: Uint8Array[] = [];
  /** How much of the first of them was read. */
  #offset = 0;
  #ended = false;
  #failure: Error | undefined;
  #wakeReader: (() => void) | undefined;
  #wakeRaw: (() => void) | undefined;
  #failWrite: ((error: Error) => void) | undefined;

  /**
   * Takes over the connection.
   * @param speak Begins to speak TLS over it.
   * @param first What was read of it already.
   */
  constructor(
    readonly conn: Deno.TcpConn,
    buffers: Buffers,
    speak: (raw: RawStream) => TLSSocket,
    first?: First,
  ) {
    conn.setNoDelay(true); // TLS writes in small pieces
    this.#raw = new RawStream(conn, buffers, () => this.#wanted(), first);
    const socket = this.#socket = speak(this.#raw);
    socket.on("data", (chunk: Uint8Array) => {
      this.#raw.gave();
      this.#arrived.push(chunk);
      this.#wakeReader?.();
    });
    socket.on("end", () => {
      this.#ended = true;
      this.#wakeReader?.();
    });
    socket.on("error", (error) => this.#fail(error));
    // after its handshake a server's socket says no more than this of a record that is wrong
    socket.on("_tlsError", (error: Error) => {
      this.#fail(error);
      this.close();
    });
    socket.on("close", () => this.#fail(new Deno.errors.BadResource("the connection is closed")));
    this.#raw.on("error", (error) => this.#fail(error));
    this.#raw.on("close", () => socket.destroy());
  }

  /**
   * Completes the handshake, and gives what knows of it. Who fails at it closes the connection.
   * @param done The event that tells of it.
   * @param deadline Ends the attempt.
   * @throws Error what was wrong with it; a timeout where it took too long
   */
  async handshake(done: "secureConnect" | "secure", deadline?: AbortSignal): Promise<TLSSocket> {
    const late = () => this.#fail(new DOMException("timed out", "TimeoutError"));
    deadline?.addEventListener("abort", late, { once: true });
    if (deadline?.aborted) late();
    try {
      await this.#done((resolve) => this.#socket.once(done, () => resolve()));
      return this.#socket;
    } finally {
      deadline?.removeEventListener("abort", late);
    }
  }

  /** Our end. */
  get localAddr(): Deno.Addr {
    return this.conn.localAddr;
  }

  /** The peer's. */
  get remoteAddr(): Deno.Addr {
    return this.conn.remoteAddr;
  }

  #wanted(): Promise<void> | undefined {
    return this.#arrived.length === 0
      ? undefined
      : new Promise((resolve) => this.#wakeRaw = resolve);
  }

  /** Holds back what the peer is told while it is judged, until {@link release}: see {@link RawStream.hold}. */
  hold(): void {
    this.#raw.hold();
  }

  /** The peer is taken. */
  release(): void {
    this.#raw.release();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#wakeReader?.();
    this.#wakeRaw?.();
    this.#failWrite?.(this.#failure);
    this.#failWrite = undefined;
  }

  /** Fills the buffer as far as there are bytes; null after the peer's last word. One at a time. @throws Error what has ended it */
  async read(buffer: Uint8Array): Promise<number | null> {
    while (this.#arrived.length === 0) {
      if (this.#ended) return null;
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => this.#wakeReader = resolve);
      this.#wakeReader = undefined;
    }
    return this.#take(buffer);
  }

  #take(buffer: Uint8Array): number {
    let length = 0;
    while (length < buffer.length && this.#arrived.length > 0) {
      const chunk = this.#arrived[0]!;
      const part = chunk.subarray(this.#offset, this.#offset + buffer.length - length);
      buffer.set(part, length);
      length += part.length;
      this.#offset += part.length;
      if (this.#offset < chunk.length) break;
      this.#arrived.shift();
      this.#offset = 0;
    }
    if (this.#arrived.length === 0) this.#wakeRaw?.();
    return length;
  }

  /** Resolves when the kernel has all bytes, which it gives the number of. One at a time. @throws Error what has ended it */
  write(bytes: Uint8Array): Promise<number> {
    return this.#done((done) => void this.#socket.write(bytes, done)).then(() => bytes.length);
  }

  /** Says that nothing more will be said. @throws Error what has ended it */
  closeWrite(): Promise<void> {
    return this.#done((done) => void this.#socket.end(done));
  }

  #done(act: (done: (error?: Error | null) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      this.#failWrite = reject;
      act((error) => {
        this.#failWrite = undefined;
        if (error) reject(error);
        else resolve();
      });
    });
  }

  /** Lets the kernel notice a peer that has vanished. */
  setKeepAlive(on?: boolean): void {
    this.conn.setKeepAlive(on);
  }

  /** Ends it, whatever it is at. Safe to call again. */
  close(): void {
    this.#fail(new Deno.errors.BadResource("the connection is closed"));
    this.#socket.destroy();
    this.#raw.destroy();
  }
}
