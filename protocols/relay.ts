import { classify } from "../lib/net/errors.ts";
import { CELLS, RESETS, RX, TX } from "../lib/stats/layout.ts";
import { reconnect } from "./connect.ts";
import { headerVersion } from "./introduce.ts";
import type { Link } from "./link.ts";
import type { Election } from "./pools.ts";
import type { Session, Side } from "./session.ts";

/** Bytes read away in one tick while a broken session lingers. */
const LINGER_BYTES_PER_TICK = 256 << 10;

/**
 * Moves the session's bytes both ways until both directions have ended; the session then closes itself.
 * Nothing waits for it: the two directions count down.
 */
export function relay(session: Session, election: Election): void {
  void new Flow(session, election, "client").run();
  void new Flow(session, election, "backend").run();
}

/** One direction of a session. Never rejects. */
class Flow {
  #buffer: Uint8Array<ArrayBuffer>;
  /** Bytes of the chunk in hand, and how many of them the other side's kernel has taken. */
  #length = 0;
  #sent = 0;
  #writes: number;
  /** Writes that the sink has seen before the first of ours. */
  readonly #written: number;
  #writing = false;
  /** The connection that was last read from or written to. */
  #conn: Link | undefined;

  constructor(readonly session: Session, readonly election: Election, readonly from: Side) {
    const { first } = session;
    if (from === "client" && first !== undefined) {
      this.#buffer = first.buffer;
      this.#length = first.length;
      session.first = undefined;
    } else this.#buffer = session.context.buffers.take();
    this.#written = from === "client" && headerVersion(session) > 0 ? 1 : 0;
    this.#writes = this.#written;
  }

  async run(): Promise<void> {
    const { session } = this;
    try {
      while (!session.closed && !await this.#pass());
    } catch (error) {
      // a defect of ours must cost one session, never the worker with all of them
      session.context.log("error", "a session failed", { why: String(error) });
      session.close();
    }
    session.context.buffers.give(this.#buffer);
    session.flowEnded();
  }

  /** Forwards to the end. False: another backend has taken over, and there is more to do. */
  async #pass(): Promise<boolean> {
    try {
      try {
        await this.#forward();
      } catch (error) {
        this.#endOf(error);
      }
      await this.#forwardEnd();
      return true;
    } catch (error) {
      return !await this.#survives(error);
    }
  }

  /** Who speaks TLS and hangs up without its last word has ended all the same. @throws any other error */
  #endOf(error: unknown): void {
    if (this.#writing || !(error instanceof Deno.errors.UnexpectedEof)) throw error;
  }

  /** Reads and writes until the side that we read from has sent its FIN. */
  async #forward(): Promise<void> {
    const { session, from } = this;
    const { buffers, ticker, counters } = session.context;
    const { slot, limits } = session.server;
    const row = counters.row;
    const cell = from === "client" ? TX : RX;
    const serverCell = slot * CELLS + cell;
    for (;;) {
      if (session.redial !== undefined && !await session.redial) return;
      let buffer = this.#buffer;
      if (this.#sent === this.#length) {
        this.#writing = false;
        this.#conn = from === "client" ? session.client : session.upstream!;
        const length = await this.#conn.read(buffer);
        if (length === null) return;
        this.#length = length;
        this.#sent = 0;
        if (from === "backend") session.moved = true;
        if (session.redial !== undefined && !await session.redial) return;
      }
      session.touchedAt = ticker.now;
      this.#writing = true;
      const sink = this.#conn = from === "client" ? session.upstream! : session.client;
      // Nagle's wait starts with a socket's second write
      if (this.#writes++ === 1) sink.setNoDelay?.(true);
      const length = this.#length;
      do {
        const whole = this.#sent === 0 && length === buffer.length;
        this.#sent += await sink.write(whole ? buffer : buffer.subarray(this.#sent, length));
        session.moved = true;
      } while (this.#sent < length);
      session.touchedAt = ticker.now;
      row[serverCell]! += length;
      row[session.member!.slot * CELLS + cell]! += length;
      buffer = length === buffer.length
        ? buffers.grow(buffer, limits.bufferMaxBytes)
        : buffers.shrink(buffer, length);
      this.#buffer = buffer;
    }
  }

  /** Passes the FIN on. Only the flow that writes to a socket may end its writing. */
  async #forwardEnd(): Promise<void> {
    const { session } = this;
    if (session.redial !== undefined) await session.redial;
    if (session.closed) return;
    this.#writing = true;
    this.#conn = this.from === "client" ? session.upstream! : session.client;
    if (session.gone !== (this.from === "client" ? "backend" : "client")) {
      await this.#conn.closeWrite();
    }
  }

  /** After an error: true where forwarding goes on, with another backend. */
  async #survives(error: unknown): Promise<boolean> {
    const { session, from } = this;
    if (session.closed) return false;
    const side: Side = this.#writing === (from === "client") ? "backend" : "client";
    if (side === "backend") {
      if (this.#conn !== session.upstream) return true; // another backend has taken over meanwhile
      if (session.replaceable && classify(error) === "reset") {
        session.context.counters.add(session.member!.slot, RESETS);
        if (from === "client") this.#writes = this.#written;
        return await reconnect(session, this.election);
      }
    }
    await this.#giveUp(side);
    return false;
  }

  /** One side is gone: the other gets what is left for it. */
  async #giveUp(side: Side): Promise<void> {
    const { session } = this;
    if (side === "backend" && session.gone === undefined) {
      session.context.counters.add(session.member!.slot, RESETS);
    }
    session.lose(side);
    if (this.#writing) return await this.#readAway();
    if (side === "client") return session.close(); // a client that resets wants nothing any more
    await session.client.closeWrite().catch(() => {}); // the client has gone as well
  }

  /**
   * Reads and forgets until the peer ends, at a bounded pace: closing while bytes arrive would reset the
   * connection and destroy what the peer hasn't read yet. The sweep ends it at its time limit.
   */
  async #readAway(): Promise<void> {
    const { session, from } = this;
    const { ticker } = session.context;
    const conn = from === "client" ? session.client : session.upstream!;
    let bytes = 0;
    try {
      while (!session.closed) {
        const length = await conn.read(this.#buffer);
        if (length === null) return;
        if (session.lingering) session.touchedAt = ticker.now;
        bytes += length;
        if (bytes < LINGER_BYTES_PER_TICK) continue;
        bytes = 0;
        await ticker.next();
      }
    } catch {
      // this side is gone as well, or the session was closed
    }
  }
}
