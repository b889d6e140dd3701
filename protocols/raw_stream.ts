import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import type { Buffers } from "./buffers.ts";
import type { First } from "./session.ts";

/** Largest read. */
const READ_BYTES = 1 << 18;
/** Bytes that may arrive without anything coming of them: far more than a handshake takes. */
const FRUITLESS_BYTES = 1 << 20;
/** Bytes of a write that wait for the kernel, beyond which who writes waits, too. */
const WAITING_BYTES = 1 << 16;

/** Node's callbacks take an error or nothing. */
type Done = (error?: Error | null) => void;

/**
 * A TCP connection as `node:tls` wants it, which it then owns. It reads when somebody wants bytes, never ahead: so
 * nobody above it has to be paused, which loses the end of a connection (Deno 2.9).
 */
export class RawStream extends Duplex {
  #buffer: Uint8Array<ArrayBuffer> | undefined;
  #first: First | undefined;
  #fruitless = 0;
  #holding = false;

  /**
   * Takes over the connection.
   * @param wanted Resolves as soon as bytes are wanted; undefined: they are now.
   * @param first What was read of it already.
   */
  constructor(
    readonly conn: Deno.TcpConn,
    readonly buffers: Buffers,
    readonly wanted: () => Promise<void> | undefined,
    first?: First,
  ) {
    super({ allowHalfOpen: true, writableHighWaterMark: WAITING_BYTES });
    this.#first = first;
  }

  /** Something has come of what has arrived. */
  gave(): void {
    this.#fruitless = 0;
  }

  /**
   * Holds what is written from now on back for a moment, in which the peer may be judged: who is refused gets nothing more.
   * Undo it with {@link release}.
   */
  hold(): void {
    this.#holding = true;
  }

  /** Writes at once again. */
  release(): void {
    this.#holding = false;
  }

  /** Reads once. */
  override _read(): void {
    void this.#fill();
  }

  async #fill(): Promise<void> {
    try {
      await this.wanted();
      if (this.destroyed) return;
      const chunk = await this.#read();
      if (!this.destroyed) this.push(chunk);
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  /** What has arrived; null at the end. */
  async #read(): Promise<Buffer | null> {
    const { conn, buffers } = this;
    let buffer = this.#first?.buffer ?? this.#buffer ?? buffers.take();
    let length: number | null = this.#first?.length ?? 0;
    this.#first = this.#buffer = undefined;
    try {
      if (length === 0) length = await conn.read(buffer);
      if (length === null) return null;
      this.#fruitless += length;
      if (this.#fruitless > FRUITLESS_BYTES) throw new Error("it sends what TLS makes nothing of");
      const chunk = Buffer.from(buffer.subarray(0, length)); // a copy: who takes it may keep it
      buffer = length === buffer.length
        ? buffers.grow(buffer, READ_BYTES)
        : buffers.shrink(buffer, length);
      return chunk;
    } finally {
      if (this.destroyed) buffers.give(buffer);
      else this.#buffer = buffer;
    }
  }

  /** Writes all of it. */
  override _write(chunk: Uint8Array, _encoding: string, done: Done): void {
    this.#write(chunk).then(() => done(), done);
  }

  async #write(chunk: Uint8Array): Promise<void> {
    if (this.#holding) {
      await new Promise((resolve) => setTimeout(resolve));
      if (this.destroyed) return;
    }
    for (let sent = 0; sent < chunk.length;) sent += await this.conn.write(chunk.subarray(sent));
  }

  /** Sends the FIN. */
  override _final(done: Done): void {
    this.conn.closeWrite().then(() => done(), done);
  }

  /** Closes the connection, whatever it is at. */
  override _destroy(error: Error | null, done: Done): void {
    for (const buffer of [this.#buffer, this.#first?.buffer]) {
      if (buffer !== undefined) this.buffers.give(buffer);
    }
    this.#buffer = this.#first = undefined;
    try {
      this.conn.close();
    } catch {
      // it is closed
    }
    done(error);
  }
}
