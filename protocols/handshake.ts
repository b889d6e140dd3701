/**
 * TLS handshakes with clients. The runtime runs them by itself, and has no time limit for them: a connection that is
 * closed before its handshake is over stays open until the client does something, and nobody can count it any more. So
 * who isn't served is *parked*: kept, counted, and closed as soon as the handshake ends, one way or the other.
 */
import type { Counters } from "../lib/stats/counters.ts";
import { HANDSHAKE_FAILED, UNFINISHED } from "../lib/stats/layout.ts";
import type { Link } from "./link.ts";
import type { Session } from "./session.ts";

/** How a handshake has ended. */
export type Outcome =
  | { readonly kind: "done"; readonly conn: Link; readonly alpn: string | undefined }
  | { readonly kind: "failed"; readonly error: unknown }
  /** It was closed before. */
  | { readonly kind: "closed" };

/** Counts the handshakes of a server, in this worker, that aren't over. */
export class Unfinished {
  /** How many there are now. */
  count = 0;

  /** None yet. */
  constructor(readonly counters: Counters, readonly slot: number) {}

  /** One more, or one less with -1. */
  add(amount: 1 | -1): void {
    this.count += amount;
    this.counters.add(this.slot, UNFINISHED, amount);
  }
}

/**
 * A client from its accept to the end of its handshake.
 *
 * ```text
 * open ──handshake done──► done     its connection is whoever's asks for the outcome
 *   ├────handshake failed► failed   its connection is closed
 *   └──────────close()───► parked ──handshake over──► closed
 * ```
 */
export class Handshake implements Link {
  readonly #conn: Deno.TlsConn;
  readonly #outcome = Promise.withResolvers<Outcome>();
  #state: "open" | "parked" | "over" = "open";

  /** Takes over the connection. */
  constructor(conn: Deno.TlsConn, readonly unfinished: Unfinished) {
    this.#conn = conn;
    unfinished.add(1);
    void this.#run();
  }

  /** How it has ended; never rejects. */
  get outcome(): Promise<Outcome> {
    return this.#outcome.promise;
  }

  /** Our end. */
  get localAddr(): Deno.Addr {
    return this.#conn.localAddr;
  }

  /** The client's end. */
  get remoteAddr(): Deno.Addr {
    return this.#conn.remoteAddr;
  }

  async #run(): Promise<void> {
    try {
      const { alpnProtocol } = await this.#conn.handshake();
      this.#over({ kind: "done", conn: this.#conn, alpn: alpnProtocol ?? undefined });
    } catch (error) {
      this.#over({ kind: "failed", error });
    }
  }

  #over(outcome: Outcome): void {
    this.unfinished.add(-1);
    if (this.#state === "parked" || outcome.kind === "failed") this.#conn.close();
    this.#state = "over";
    this.#outcome.resolve(outcome); // without effect where it was closed
  }

  /** Nothing is read before the handshake is over. @throws Error always */
  read(): Promise<number | null> {
    return Promise.reject(new Error("the handshake isn't over"));
  }

  /** Nothing is written before the handshake is over. @throws Error always */
  write(): Promise<number> {
    return this.read() as Promise<number>;
  }

  /** Does nothing. */
  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  /** Parks it. Safe to call again, and once it is over. */
  close(): void {
    if (this.#state !== "open") return;
    this.#state = "parked";
    this.#outcome.resolve({ kind: "closed" });
  }
}

/** Tells of a handshake that failed, to whoever looks for faults. Gives the cell that counts it. */
export function handshakeFailed({ client, server, context }: Session, why: string): number {
  if (context.debug) {
    context.log("debug", "a TLS handshake failed", {
      server: server.name,
      client: (client.remoteAddr as Deno.NetAddr).hostname,
      why,
    });
  }
  return HANDSHAKE_FAILED;
}
