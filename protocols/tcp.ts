import type { ServerTable } from "../lib/model.ts";
import { classify, whatHappened } from "../lib/net/errors.ts";
import {
  ACCEPT_ERRORS,
  GUARDED,
  NO_BACKEND,
  OVER_CAPACITY,
  OVER_LIMIT,
  OVER_UNFINISHED,
  PROCESS_SLOT,
  REFUSED,
  TOTAL,
} from "../lib/stats/layout.ts";
import { connect } from "./connect.ts";
import type { Context } from "./context.ts";
import { Guard, readsHellos } from "./guard.ts";
import { Handshake, Unfinished } from "./handshake.ts";
import { isStrict } from "../lib/strict_tls.ts";
import { listen, type Listener, listensAlike } from "./listen.ts";
import type { Pools } from "./pools.ts";
import { Reception } from "./reception.ts";
import { relay } from "./relay.ts";
import type { Server } from "./server.ts";
import { Session } from "./session.ts";

/** Pause after an accept that failed for want of descriptors, or for a reason that we don't know. */
const ACCEPT_PAUSE_MS = 20;

/** Turns of the event loop in which nobody has come: then the queue is empty. */
const QUIET_TURNS = 3;
/** How long the queue of a listener may take to run empty before it is closed: under overload it never does. */
const LAST_CLIENTS_MS = 2_000;

/** What a server takes over from the one that listened there before, and whom it tells. */
export type TcpServerOptions = {
  /** The handshakes of the one before, whose clients are still to be counted. */
  readonly unfinished?: Unfinished | undefined;
  /** Its TLS is guarded against silent clients, until they have gone. */
  readonly guarded?: boolean | undefined;
  /** Another listener should take over: this one has been asked for too many names. */
  onWorn?(server: TcpServer): void;
  /** Another one should take over, guarded or not any more. False: it can't. */
  onGuard?(server: TcpServer, guarded: boolean): boolean;
};

/** The guard goes when so few clients are silent, as a share of the limit, */
const CALM_SHARE = 1 / 8;
/** for so long. */
const CALM_MS = 5_000;
/** Pause between two attempts to be guarded. */
const GUARD_PAUSE_MS = 1_000;

/** A server of one worker, by TCP or TLS: its listener and what it does with clients. */
export class TcpServer implements Server {
  readonly #listener: Listener;
  /** Handshakes with clients that aren't over. */
  unfinished: Unfinished;
  #reception: Reception;
  #stopped = false;
  #accepted = 0;
  /** Where hellos are read before TLS is spoken. */
  readonly #guard: Guard | undefined;
  #guardAskedAt = -Infinity;
  readonly #accepting: Promise<void>;

  /** Listens. @throws What `Deno.listen` throws. The caller stops it. */
  constructor(
    public table: ServerTable,
    readonly pools: Pools,
    readonly context: Context,
    readonly options: TcpServerOptions = {},
  ) {
    const { unfinished, onWorn, guarded = false } = options;
    this.#reception = this.#received(table);
    this.unfinished = unfinished ?? new Unfinished(context.counters, table.slot);
    const plain = guarded || readsHellos(table);
    const worn = () => onWorn?.(this);
    this.#listener = listen(table, plain, worn);
    try {
      if (plain) this.#guard = new Guard(table, context, worn);
    } catch (error) {
      this.#listener.close();
      throw error;
    }
    if (guarded) void this.#untilCalm();
    this.#accepting = this.#accept();
  }

  /** Is its TLS guarded against silent clients, until they have gone? */
  get guarded(): boolean {
    return this.options.guarded === true;
  }

  /** Can it use this table without another listener? */
  suits(table: ServerTable): boolean {
    const guarded = this.guarded && table.tls?.guard === "auto";
    return listensAlike(this.table, table) &&
      (this.#guard !== undefined) === (guarded || readsHellos(table)) &&
      isStrict(this.table) === isStrict(table);
  }

  /** Uses a new table, which it {@link suits}, from the next client on. */
  update(table: ServerTable): void {
    if (table.slot !== this.table.slot) { // what was counted before is counted to its end where it was
      this.unfinished = new Unfinished(this.context.counters, table.slot);
    }
    this.table = table;
    this.#reception = this.#received(table);
  }

  /**
   * Closes the listener as soon as nobody waits in its queue: who waits there would be reset. Resolves when everybody who
   * was accepted is a session: the runtime may have taken one in the moment of the close, of whom we hear later.
   */
  async finish(): Promise<void> {
    const { ticker } = this.context;
    const end = ticker.now + LAST_CLIENTS_MS;
    for (let quiet = 0; quiet < QUIET_TURNS && ticker.now < end;) {
      const before = this.#accepted;
      await new Promise((resolve) => setTimeout(resolve));
      quiet = before === this.#accepted ? quiet + 1 : 0;
    }
    this.stop();
    await this.#accepting;
  }

  /** Closes the listener. Sessions go on. Safe to call again. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#listener.close();
    this.#guard?.stop();
  }

  /** One bad accept must not end it, so it is no `for await`. */
  async #accept(): Promise<void> {
    while (!this.#stopped) {
      try {
        if (this.#isCrowded) await this.context.ticker.next();
        else {
          const client = await this.#listener.accept();
          this.#accepted++;
          void this.#handle(client);
        }
      } catch (error) {
        const happening = classify(error);
        if (this.#stopped || happening === "closed") return;
        if (happening === "reset") continue; // the client left while it was waiting for us
        await this.#acceptFailed(error);
      }
    }
  }

  /** So many wait for the end of their handshakes, refused ones among them, that others wait in the kernel's queue. */
  get #isCrowded(): boolean {
    const { tls } = this.table;
    return tls !== undefined && this.#guard === undefined &&
      this.unfinished.count >= 2 * tls.maxUnfinished;
  }

  async #acceptFailed(error: unknown): Promise<void> {
    const { context, table } = this;
    context.counters.add(table.slot, ACCEPT_ERRORS);
    context.log("error", "can't accept a connection", {
      server: table.name,
      why: whatHappened(error),
    });
    await new Promise((resolve) => setTimeout(resolve, ACCEPT_PAUSE_MS));
  }

  async #handle(accepted: Deno.TcpConn | Deno.TlsConn): Promise<void> {
    const { table, context } = this;
    const handshake = "handshake" in accepted && new Handshake(accepted, this.unfinished);
    const client = handshake || accepted as Deno.TcpConn;
    if (handshake) this.#lookOut();
    const reception = this.#reception;
    const refusal = reception.look(client);
    if (refusal !== undefined) this.#refuse(refusal);
    if (refusal !== undefined || !this.#hasRoom() || !this.#take()) return client.close();
    const session = new Session(client, table, context);
    try {
      const guard = this.#guard;
      const election = !handshake && guard === undefined && reception.everybodys ||
        await reception.receive(session, handshake || undefined, guard, this.unfinished);
      if (typeof election === "number") {
        if (election > 0) this.#refuse(election);
        return session.close();
      }
      if (await connect(session, election)) return relay(session, election);
      if (!session.closed) this.#refuse(NO_BACKEND);
    } catch (error) {
      context.log("error", "a session failed", { server: table.name, why: String(error) });
    }
    session.close();
  }

  #received(table: ServerTable): Reception {
    return new Reception(table, this.pools, () => this.#reception);
  }

  /** Asks for the guard when too many handshakes aren't over. */
  #lookOut(): void {
    const { table: { tls }, context: { ticker }, options } = this;
    if (tls!.guard !== "auto" || this.#stopped) return;
    if (this.unfinished.count < tls!.maxUnfinished) return;
    if (ticker.now - this.#guardAskedAt < GUARD_PAUSE_MS) return;
    this.#guardAskedAt = ticker.now;
    options.onGuard?.(this, true);
  }

  /** Asks for the end of the guard when hardly anybody is silent any more. */
  async #untilCalm(): Promise<void> {
    const { context: { counters, ticker }, table: { slot } } = this;
    counters.add(slot, GUARDED);
    for (let since = ticker.now; !this.#stopped; await ticker.next()) {
      const { waiting, silent } = this.#guard!;
      const parked = this.unfinished.count - waiting;
      if (parked + silent > this.table.tls!.maxUnfinished * CALM_SHARE) since = ticker.now;
      if (ticker.now - since < CALM_MS) continue;
      if (this.options.onGuard?.(this, false)) break;
      since = ticker.now;
    }
    counters.add(slot, GUARDED, -1);
  }

  /** Are there few enough handshakes that aren't over? A new one counts itself. */
  #hasRoom(): boolean {
    const { tls } = this.table;
    return tls === undefined || this.#guard !== undefined ||
      this.unfinished.count <= tls.maxUnfinished || this.#refuse(OVER_UNFINISHED);
  }

  /** Applies the limits, and counts the session. */
  #take(): boolean {
    const { table, context: { counters } } = this;
    if (!this.#hasPlace(PROCESS_SLOT, counters.capacity)) return this.#refuse(OVER_CAPACITY);
    if (!this.#hasPlace(table.slot, table.maxConnections)) {
      counters.release(PROCESS_SLOT);
      return this.#refuse(OVER_LIMIT);
    }
    counters.add(table.slot, TOTAL);
    return true;
  }

  /** Takes one of so many places, if need be that of somebody who has been silent for a while. */
  #hasPlace(slot: number, limit: number): boolean {
    const { counters } = this.context;
    return counters.take(slot, limit) ||
      (this.#guard?.makeRoom() === true && counters.take(slot, limit));
  }

  #refuse(reason: number): false {
    const { context: { counters }, table: { slot } } = this;
    counters.add(slot, REFUSED);
    counters.add(slot, reason);
    return false;
  }
}
