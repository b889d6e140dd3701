import { clientKey } from "../lib/client_key.ts";
import type { Member, ServerTable } from "../lib/model.ts";
import { TIMED_OUT } from "../lib/stats/layout.ts";
import type { Asked } from "../lib/routes.ts";
import type { Link } from "./link.ts";
import { TICK_MS } from "./ticker.ts";
import type { Context } from "./context.ts";

/** The side of a session that something happened to. */
export type Side = "client" | "backend";

/** A client as a proxy in front has told of it. */
export type Told = { readonly source: Place; readonly destination: Place };
/** One end of a connection. */
export type Place = { readonly hostname: string; readonly port: number };
/** What TLS with the client has come to, where we know. */
export type Secured = {
  /** For example `TLSv1.3`. */
  readonly version: string;
  /** For example `TLS_AES_256_GCM_SHA384`. */
  readonly cipher: string;
  /** What the client's certificate says, as in `CN=alice`; absent where it has shown none. */
  readonly identity?: readonly string[];
};
/** The beginning of a buffer, which goes back to the pool. */
export type First = { readonly buffer: Uint8Array<ArrayBuffer>; readonly length: number };

/** Longest silence while only leftovers of a broken session are being read away. */
const LINGER_QUIET_MS = 5_000;
/** Longest such reading in all (nginx's lingering_time). */
const LINGER_MS = 30_000;

/**
 * One client's traffic, from its election to the last byte. It owns both sockets and the claim on the
 * backend; the relay moves the bytes.
 *
 * ```text
 * open ──FIN of one side──► half ──FIN of the other──► closed
 *   │                        │                           ▲
 *   ├─reset of the client────┴───────────────────────────┤
 *   └─backend gone──► lingering: the client gets what is ┤
 *                     left, its bytes are read away ─────┘
 * ```
 */
export class Session {
  /** Its index in {@link Sessions}. */
  place: number = -1;
  /** Coarse time of the last byte moved. */
  touchedAt: number;
  /** The backend's connection; replaced when it is reset before any byte has passed. */
  upstream: Link | undefined;
  /** The backend has been dialled, greeted, and TLS spoken with it. */
  connected = false;
  /** The backend that is leased. */
  member: Member | undefined;
  /** Slots of backends that this session has failed on. */
  readonly tried: number[] = [];
  /** When it was ready for its first dial. */
  dialSince: number;
  /** Set while another backend is being dialled instead of one that reset. */
  redial: Promise<boolean> | undefined;
  /** Bytes have passed in either direction, so no other backend can take over. */
  moved = false;
  /** Where the client is and where it wanted to, if a proxy in front has told; else as the connection has it. */
  told: Told | undefined;
  /** What the client has sent already, behind a proxy's header. */
  first: First | undefined;
  /** When it is closed unless its client has said what it has to say first; 0 is never. */
  greetUntil = 0;
  /** The protocol that TLS has agreed on with the client. */
  alpn: string | undefined;
  /** What else is known of that. */
  secured: Secured | undefined;
  /** What its hello has asked for, where it was read. */
  asked: Asked | undefined;
  #uniqueId: string | undefined;
  /** One side can't be written to any more. */
  gone: Side | undefined;
  /** Both sockets are closed and everything is given back. */
  closed = false;
  #limitMs: number;
  #lingerUntil = 0;
  #keepAlive = false;
  #flows = 2;

  /** Takes over the client's socket and the counts made for it. */
  constructor(
    public client: Link,
    readonly server: ServerTable,
    readonly context: Context,
  ) {
    this.touchedAt = this.dialSince = context.ticker.now;
    const { clientIdleMs, backendIdleMs } = server.limits;
    this.#limitMs = shorter(clientIdleMs, backendIdleMs);
    context.sessions.add(this);
  }

  /** Names it across proxies; made when it is first asked for. */
  get uniqueId(): string {
    return this.#uniqueId ??= crypto.randomUUID();
  }

  /** Identifies the client for strategies that keep it on one backend. */
  key(): number {
    const { hostname } = this.told?.source ?? this.client.remoteAddr as Deno.NetAddr;
    return clientKey(hostname, this.server.keyWidth);
  }

  /** Its client has said what it has to say first; dialling begins. */
  greeted(): void {
    this.greetUntil = 0;
    this.touchedAt = this.dialSince = this.context.ticker.now;
  }

  /** Another backend may take over: nothing has passed, and both sides are still open. */
  get replaceable(): boolean {
    return !this.moved && this.#flows === 2 && this.gone === undefined;
  }

  /** Only leftovers of a broken session are being read away. */
  get lingering(): boolean {
    return this.#lingerUntil > 0;
  }

  /** One direction has ended: with a FIN, an error, or after reading away what nobody wants. */
  flowEnded(): void {
    if (--this.#flows === 0) return this.close();
    this.#relimit();
  }

  /** That side can't be written to any more. Its other direction may still have something to say. */
  lose(side: Side): void {
    this.gone ??= side;
    this.#relimit();
  }

  #relimit(): void {
    this.touchedAt = this.context.ticker.now;
    if (this.gone !== undefined && this.#flows === 1) {
      this.#limitMs = LINGER_QUIET_MS;
      this.#lingerUntil = this.touchedAt + LINGER_MS;
    } else {
      this.#limitMs = shorter(this.#limitMs, this.server.limits.halfCloseMs);
    }
  }

  /** Called once a tick. */
  sweep(now: number): void {
    const silentMs = now - this.touchedAt;
    if (!this.connected) { // still dialling, which has its own limit
      if (this.greetUntil > 0 && now > this.greetUntil) this.close();
      return;
    }
    // coarse times are up to a tick old: no session may end early
    if (this.#limitMs > 0 && silentMs > this.#limitMs + TICK_MS) {
      return this.#expire("silent for too long");
    }
    if (this.#lingerUntil > 0 && now > this.#lingerUntil) return this.close();
    if (!this.#keepAlive) {
      this.#keepAlive = true;
      keepAlive(this.client);
      keepAlive(this.upstream!);
    }
  }

  #expire(why: string): void {
    const { context, server } = this;
    if (this.gone === undefined) context.counters.add(server.slot, TIMED_OUT);
    if (context.debug) context.log("debug", why, { server: server.name, limit_ms: this.#limitMs });
    this.close();
  }

  /** Closes both sockets and gives back what is counted. Safe to call again. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    const { context, server } = this;
    this.client.close();
    this.upstream?.close();
    if (this.member !== undefined) context.counters.release(this.member.slot);
    context.counters.release(server.slot);
    context.counters.release(0);
    context.sessions.remove(this);
  }
}

/** The shorter of two limits, where 0 is none. */
function shorter(a: number, b: number): number {
  return a === 0 ? b : b === 0 ? a : Math.min(a, b);
}

/** Lets the kernel notice a peer that has vanished. */
function keepAlive(conn: Link): void {
  try {
    conn.setKeepAlive?.(true);
  } catch {
    // the peer has gone already; the relay is about to notice
  }
}
