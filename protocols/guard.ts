import { type Asked, NOTHING_ASKED } from "../lib/routes.ts";
import type { ServerTable } from "../lib/model.ts";
import { HANDSHAKE_TIMED_OUT, OVER_UNFINISHED } from "../lib/stats/layout.ts";
import { whatHappened } from "../lib/net/errors.ts";
import { isStrict } from "../lib/strict_tls.ts";
import type { ClientTls } from "./client_tls.ts";
import type { Context } from "./context.ts";
import { Greeters } from "./greeters.ts";
import { handshakeFailed, type Unfinished } from "./handshake.ts";
import { readHello } from "./hello.ts";
import { dismiss, InnerListener } from "./hop.ts";
import { listenInside } from "./listen.ts";
import type { Session } from "./session.ts";
import { TICK_MS } from "./ticker.ts";

/** Has a TLS server to read its clients' hellos before it speaks TLS with them, attacked or not? */
export function readsHellos(table: ServerTable): boolean {
  const { tls, proxy, routing } = table;
  if (tls === undefined) return false;
  return tls.guard === "always" || isStrict(table) ||
    proxy?.extras?.includes("authority") === true ||
    (proxy !== undefined && proxy.from.length > 0) ||
    routing?.sni !== undefined ||
    (routing?.routes ?? []).some(({ match }) =>
      match?.sni !== undefined || match?.alpn !== undefined
    );
}

/** Who may be in the middle of a handshake, as a share of who may be silent: each takes three descriptors, not one. */
const HALFWAY_SHARE = 1 / 2;

/** Who takes so long, in milliseconds, is silent rather than slow. */
const SLOW_MS = 1_000;

/** Waits for a TLS server's clients to say their hellos, in the plain, and hops only then. */
export class Guard {
  /** Who hasn't said its hello, and who hasn't completed its handshake. */
  readonly #silent: Greeters;
  readonly #halfway: Greeters;
  /** Behind the hops. */
  readonly #inner: InnerListener | undefined;
  /** Where there are no hops. */
  readonly #ours: Promise<ClientTls> | undefined;
  /** Clients who may still need it. */
  #clients = 0;
  #stopped = false;

  /** Opens the listener behind the hops, if there are any. @throws what listening throws */
  constructor(table: ServerTable, readonly context: Context, onWorn: () => void) {
    const tls = table.tls!;
    this.#silent = new Greeters(context.ticker.clock);
    this.#halfway = new Greeters(context.ticker.clock);
    if (!isStrict(table)) {
      this.#inner = new InnerListener(listenInside(tls, onWorn), context, () => this.makeRoom());
    } else this.#ours = import("./client_tls.ts").then(({ ClientTls }) => new ClientTls(tls));
    this.#ours?.catch(() => {}); // whoever needs it will hear of it
  }

  /**
   * Completes a client's handshake, within the server's limit; `session.client` speaks plainly then. Gives what it has asked
   * for, or why it is refused, which is one of the counters' cells; 0: it needn't be.
   *
   * @param readMs Longest wait for its hello, if it is less.
   */
  async receive(session: Session, unfinished: Unfinished, readMs: number): Promise<Asked | number> {
    const { context, server: { tls } } = session;
    const since = context.ticker.now;
    const { handshakeMs, maxUnfinished } = tls!;
    if (!this.#silent.enter(session, maxUnfinished)) return OVER_UNFINISHED;
    unfinished.add(1);
    session.greetUntil = since + Math.min(handshakeMs, readMs) + TICK_MS;
    let outcome: Asked | number;
    try {
      outcome = await this.#heard(session);
      if (!this.#silent.leave(session)) outcome = OVER_UNFINISHED;
      if (typeof outcome === "object" && !session.closed) {
        session.greetUntil = since + handshakeMs + TICK_MS;
        outcome = await this.#secured(session, outcome, Math.ceil(maxUnfinished * HALFWAY_SHARE));
      }
    } catch (error) {
      outcome = handshakeFailed(session, whatHappened(error));
    }
    unfinished.add(-1);
    if (!session.closed) session.greeted();
    else if (outcome !== OVER_UNFINISHED) {
      return context.ticker.now > session.greetUntil ? HANDSHAKE_TIMED_OUT : 0;
    }
    return outcome;
  }

  /** A client has come who may need it, until {@link letGo}. */
  hold(): void {
    this.#clients++;
  }

  /** The end of a {@link hold}. */
  letGo(): void {
    if (--this.#clients === 0 && this.#stopped) this.#inner?.stop();
  }

  /** How many clients have been silent for a second and more. */
  get silent(): number {
    return this.#silent.longerThan(SLOW_MS) + this.#halfway.longerThan(SLOW_MS);
  }

  /** How many clients it is with. */
  get waiting(): number {
    return this.#silent.size + this.#halfway.size;
  }

  /** What the client's hello asks for, or why there is none. */
  async #heard(session: Session): Promise<Asked | number> {
    const asked = await readHello(session);
    if (typeof asked === "string") return handshakeFailed(session, asked);
    return asked === NOTHING_ASKED ? handshakeFailed(session, "not_tls") : asked;
  }

  async #secured(session: Session, asked: Asked, most: number): Promise<Asked | number> {
    if (!this.#halfway.enter(session, most)) return OVER_UNFINISHED;
    let outcome: Asked | number = asked;
    try {
      const ours = await this.#ours;
      outcome = await (ours ? ours.secure(session, asked) : this.#hop(session)) ?? asked;
    } catch (error) {
      outcome = handshakeFailed(session, whatHappened(error));
    }
    return this.#halfway.leave(session) ? outcome : OVER_UNFINISHED;
  }

  async #hop(session: Session): Promise<number | undefined> {
    const led = await this.#inner!.lead(session.client as Deno.TcpConn);
    if (typeof led === "number") return led;
    if (led === undefined) return handshakeFailed(session, "no way to the listener behind the hop");
    const { hop, tls } = led;
    session.client = hop;
    if (session.closed) {
      hop.close();
      dismiss(tls);
      return 0;
    }
    const first = session.first!;
    session.first = undefined;
    const { ticker } = session.context;
    session.alpn = await hop.secure(tls, first, () => session.touchedAt = ticker.now);
    return undefined;
  }

  /** Sends somebody away who has been silent for a while. False: there is nobody. */
  makeRoom(): boolean {
    return this.#silent.sendAway() || this.#halfway.sendAway();
  }

  /** Closes the listener as soon as nobody needs it: handshakes of clients who have come may end. */
  stop(): void {
    this.#stopped = true;
    if (this.#clients === 0) this.#inner?.stop();
  }
}
