/**
 * TLS with a client whose hello was read first. The runtime speaks TLS on listeners alone, and never lets go of a
 * handshake by itself; so the client's bytes go over loopback to a listener of our own that does, and whoever closes the
 * hop has freed all of it.
 *
 * ```text
 * client ═══ raw ─pumps─ hop ═══ loopback ═══ tls ─relay─ backend
 * ```
 */
import { dial } from "../lib/net/dial.ts";
import { OVER_CAPACITY, PROCESS_SLOT } from "../lib/stats/layout.ts";
import type { Buffers } from "./buffers.ts";
import type { Context } from "./context.ts";
import type { Link } from "./link.ts";
import type { First } from "./session.ts";

/** Largest buffer of a pump. */
const PUMP_BYTES = 1 << 18;
/** How long a hop may be on its way, in milliseconds. */
const ARRIVAL_MS = 2_000;
/** How long a client whose session is over may take none of what was said to it, in milliseconds, */
const LAST_WORDS_QUIET_MS = 15_000;
/** and how long it may take for all of it. */
const LAST_WORDS_MS = 300_000;

/** A client's connection behind a hop: what is read and written is plain. Its owner closes it. */
export class Hop implements Link {
  #tls: Deno.TlsConn | undefined;
  #said = false;
  #closed = false;
  #freed = false;
  #down: Promise<void> = Promise.resolve();
  #movedAt = 0;

  /** Takes over the client's connection and the one that leads to the listener. */
  constructor(
    readonly raw: Deno.TcpConn,
    readonly hop: Deno.TcpConn,
    readonly context: Context,
    readonly onFreed: () => void,
  ) {
    context.sessions.hold(); // a drain waits for last words
  }

  /** Our end of the client's connection. */
  get localAddr(): Deno.Addr {
    return this.raw.localAddr;
  }

  /** The client's end. */
  get remoteAddr(): Deno.Addr {
    return this.raw.remoteAddr;
  }

  /**
   * Moves bytes between the client and the listener, `first` before what it says from now on, and completes the
   * handshake. Gives the protocol that was agreed on.
   *
   * @param onMoved Called when bytes have moved, which is later than when they were written here.
   * @throws what the handshake throws, once the client has been told.
   */
  async secure(tls: Deno.TlsConn, first: First, onMoved: () => void): Promise<string | undefined> {
    this.#tls = tls;
    const { raw, hop, context: { buffers, ticker } } = this;
    raw.setNoDelay(true);
    hop.setNoDelay(true);
    const broken = () => {
      this.#free();
      if (!this.#closed) shut(tls); // who reads from it hears of it
    };
    const moved = () => {
      this.#movedAt = ticker.now;
      onMoved();
    };
    void pump(raw, hop, buffers, moved, first).catch(broken);
    this.#down = pump(hop, raw, buffers, moved).catch(broken);
    try {
      return (await tls.handshake()).alpnProtocol ?? undefined;
    } catch (error) {
      this.#said = true; // an alert, perhaps
      throw error;
    }
  }

  /** Fills the buffer; null after the client's last word. */
  read(buffer: Uint8Array): Promise<number | null> {
    return this.#tls!.read(buffer);
  }

  /** Gives how many bytes were taken. */
  write(bytes: Uint8Array): Promise<number> {
    return this.#tls!.write(bytes);
  }

  /** Says that nothing more will be said. */
  async closeWrite(): Promise<void> {
    this.#said = true;
    await this.#tls!.closeWrite();
  }

  /** Lets the kernel notice a client that has vanished. */
  setKeepAlive(on?: boolean): void {
    this.raw.setKeepAlive(on);
  }

  /** Closes everything, once the client has what was said to it, or has had time to take it. Safe to call again. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    shut(this.#tls);
    if (!this.#said) return this.#free();
    void this.#down.then(() => this.#free());
    void this.#lastWords();
  }

  async #lastWords(): Promise<void> {
    const { ticker } = this.context;
    this.#movedAt = ticker.now;
    const end = ticker.now + LAST_WORDS_MS;
    while (!this.#freed && ticker.now < end && ticker.now - this.#movedAt < LAST_WORDS_QUIET_MS) {
      await ticker.next();
    }
    this.#free();
  }

  #free(): void {
    shut(this.hop);
    shut(this.raw);
    if (this.#freed) return;
    this.#freed = true;
    this.context.sessions.letGo();
    this.onFreed();
  }
}

/** The listener behind the hops of one server, in this worker. */
export class InnerListener {
  readonly #listener: Deno.TlsListener;
  readonly #port: number;
  /** By the port that a hop comes from: who waits for it, or what has come already. */
  readonly #expected = new Map<number, (conn: Deno.TlsConn | undefined) => void>();
  readonly #arrived = new Map<number, Deno.TlsConn>();
  #stopped = false;

  /** Takes over a listener on loopback; `makeRoom` ends somebody else's session, if it can. */
  constructor(
    listener: Deno.TlsListener,
    readonly context: Context,
    readonly makeRoom: () => boolean,
  ) {
    this.#listener = listener;
    this.#port = (listener.addr as Deno.NetAddr).port;
    void this.#accept();
  }

  /**
   * Leads a client here. Gives its connection, whose handshake is still to come, and the end here; the counters' cell where
   * the process has no room for the hop, which is another session to it; undefined where nobody has come.
   * @throws what dialling throws
   */
  async lead(raw: Deno.TcpConn): Promise<{ hop: Hop; tls: Deno.TlsConn } | number | undefined> {
    const { context } = this;
    const { counters } = context;
    const take = () => counters.take(PROCESS_SLOT, counters.capacity);
    if (!take() && !(this.makeRoom() && take())) return OVER_CAPACITY;
    const release = () => counters.release(PROCESS_SLOT);
    let conn: Deno.TcpConn | undefined;
    try {
      conn = await dial("127.0.0.1", this.#port, context.ticker.deadline(ARRIVAL_MS));
      const tls = await this.#awaited((conn.localAddr as Deno.NetAddr).port);
      if (tls !== undefined) return { hop: new Hop(raw, conn, context, release), tls };
    } catch (error) {
      shut(conn);
      release();
      throw error;
    }
    shut(conn);
    release();
    return undefined;
  }

  /** What comes from that port. */
  #awaited(port: number): Promise<Deno.TlsConn | undefined> {
    const arrived = this.#arrived.get(port);
    this.#arrived.delete(port);
    if (arrived !== undefined) return Promise.resolve(arrived);
    const { promise, resolve } = Promise.withResolvers<Deno.TlsConn | undefined>();
    const late = this.context.ticker.deadline(ARRIVAL_MS);
    const give = (conn: Deno.TlsConn | undefined) => {
      late.removeEventListener("abort", lost);
      this.#expected.delete(port);
      resolve(conn);
    };
    const lost = () => give(undefined);
    late.addEventListener("abort", lost, { once: true });
    this.#expected.set(port, give);
    return promise;
  }

  async #accept(): Promise<void> {
    for (;;) {
      try {
        const conn = await this.#listener.accept();
        const { hostname, port } = conn.remoteAddr as Deno.NetAddr;
        const expected = this.#expected.get(port);
        if (hostname !== "127.0.0.1") dismiss(conn); // from where no hop comes
        else if (expected !== undefined) expected(conn);
        else this.#early(port, conn);
      } catch {
        if (this.#stopped) break;
        await this.context.ticker.next(); // no descriptors
      }
    }
    for (const conn of this.#arrived.values()) dismiss(conn);
    for (const resolve of this.#expected.values()) resolve(undefined);
  }

  /** Somebody who isn't expected, or not yet. A stranger can only be another program of this host. */
  #early(port: number, conn: Deno.TlsConn): void {
    const before = this.#arrived.get(port);
    if (before !== undefined) dismiss(before);
    this.#arrived.set(port, conn);
    void this.context.ticker.next().then(() => this.context.ticker.next()).then(() => {
      if (this.#arrived.get(port) !== conn) return;
      this.#arrived.delete(port);
      dismiss(conn);
    });
  }

  /** Closes the listener: nobody may be on the way to it. */
  stop(): void {
    this.#stopped = true;
    shut(this.#listener);
  }
}

/** Moves bytes one way up to the end, which it passes on. @throws what reading or writing throws */
async function pump(
  from: Deno.TcpConn,
  to: Deno.TcpConn,
  buffers: Buffers,
  onMoved: () => void,
  first?: First,
): Promise<void> {
  let buffer = first?.buffer ?? buffers.take();
  let length: number | null = first?.length ?? 0;
  try {
    for (;;) {
      for (let sent = 0; sent < length;) {
        sent += await to.write(buffer.subarray(sent, length));
        onMoved();
      }
      if (length > 0) {
        buffer = length === buffer.length
          ? buffers.grow(buffer, PUMP_BYTES)
          : buffers.shrink(buffer, length);
      }
      length = await from.read(buffer);
      if (length === null) break;
    }
  } finally {
    buffers.give(buffer);
  }
  await to.closeWrite();
}

/** Closes a connection that nobody wants, once its handshake is over: closed before, it would stay open uncounted. */
export function dismiss(conn: Deno.TlsConn): void {
  void conn.handshake().catch(() => {}).then(() => shut(conn));
}

function shut(closable: { close(): void } | undefined): void {
  try {
    closable?.close();
  } catch {
    // it is closed already
  }
}
