import type { ServerTable } from "../lib/model.ts";
import { classify, whatHappened } from "../lib/net/errors.ts";
import {
  ACCEPT_ERRORS,
  BAD_PROXY_HEADER,
  DENIED,
  HANDSHAKE_FAILED,
  HANDSHAKE_TIMED_OUT,
  NO_BACKEND,
  NO_ROUTE,
  OVER_CAPACITY,
  OVER_LIMIT,
  OVER_UNFINISHED,
  PROCESS_SLOT,
  REFUSED,
  TOTAL,
  UNKNOWN_PROXY,
} from "../lib/stats/layout.ts";
import { compileAccess } from "../lib/access.ts";
import { NOTHING_ASKED } from "../lib/routes.ts";
import { connect } from "./connect.ts";
import type { Context } from "./context.ts";
import { Handshake, Unfinished } from "./handshake.ts";
import { listen, type Listener, listensAlike } from "./listen.ts";
import type { Link } from "./link.ts";
import type { Election, Pools } from "./pools.ts";
import { relay } from "./relay.ts";
import { readProxyHeader } from "./introduce.ts";
import { hear, Router } from "./router.ts";
import { type Place, Session } from "./session.ts";
import { TICK_MS } from "./ticker.ts";

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
  /** Another listener should take over: this one has been asked for too many names. */
  onWorn?(server: TcpServer): void;
};

/** A server of one worker, by TCP or TLS: its listener and what it does with clients. */
export class TcpServer {
  readonly #listener: Listener;
  /** Handshakes with clients that aren't over. */
  unfinished: Unfinished;
  /** May this address send a PROXY header? */
  #proxies: (ip: string) => boolean;
  #access: (ip: string) => boolean;
  #stopped = false;
  #accepted = 0;
  /** Everybody's, where nothing has to be known of a client. */
  readonly #election: Election = () => this.pools.get(this.table.pool!);
  #router: Router | undefined;

  /** Listens. @throws What `Deno.listen` throws. The caller stops it. */
  constructor(
    public table: ServerTable,
    readonly pools: Pools,
    readonly context: Context,
    { unfinished, onWorn }: TcpServerOptions = {},
  ) {
    this.#access = compileAccess(table.access);
    this.#proxies = compileProxies(table);
    this.unfinished = unfinished ?? new Unfinished(context.counters, table.slot);
    this.#listener = listen(table, () => onWorn?.(this));
    this.#router = table.routing && new Router(table.routing, table.pool, pools);
    void this.#accept();
  }

  /** Can it use this table without another listener? */
  suits(table: ServerTable): boolean {
    return listensAlike(this.table, table);
  }

  /** Uses a new table, which it {@link suits}, from the next client on. */
  update(table: ServerTable): void {
    if (table.slot !== this.table.slot) { // what was counted before is counted to its end where it was
      this.unfinished = new Unfinished(this.context.counters, table.slot);
    }
    this.table = table;
    this.#access = compileAccess(table.access);
    this.#proxies = compileProxies(table);
    this.#router = table.routing && new Router(table.routing, table.pool, this.pools);
  }

  /** Closes the listener as soon as nobody waits in its queue: who waits there would be reset. */
  async finish(): Promise<void> {
    const { ticker } = this.context;
    const end = ticker.now + LAST_CLIENTS_MS;
    for (let quiet = 0; quiet < QUIET_TURNS && ticker.now < end;) {
      const before = this.#accepted;
      await new Promise((resolve) => setTimeout(resolve));
      quiet = before === this.#accepted ? quiet + 1 : 0;
    }
    this.stop();
  }

  /** Closes the listener. Sessions go on. Safe to call again. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#listener.close();
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
    return tls !== undefined && this.unfinished.count >= 2 * tls.maxUnfinished;
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
    const client = "handshake" in accepted ? new Handshake(accepted, this.unfinished) : accepted;
    const proxied = table.proxy !== undefined && table.proxy.from.length > 0;
    const admitted = proxied ? this.#isProxy(client) : this.#admits(client.remoteAddr as Place);
    if (!admitted || !this.#hasRoom() || !this.#take()) {
      return client.close();
    }
    const session = new Session(client, table, context);
    try {
      if (proxied && !await this.#introduced(session)) return session.close();
      if (client instanceof Handshake && !await this.#secured(session, client)) {
        return session.close();
      }
      const router = this.#router;
      const election = router ? await this.#routed(session, router) : this.#election;
      if (election === undefined) return session.close();
      if (await connect(session, election)) return relay(session, election);
      if (!session.closed) this.#refuse(NO_BACKEND);
    } catch (error) {
      context.log("error", "a session failed", { server: table.name, why: String(error) });
    }
    session.close();
  }

  #isProxy(client: Link): boolean {
    return this.#proxies((client.remoteAddr as Deno.NetAddr).hostname) ||
      this.#refuse(UNKNOWN_PROXY);
  }

  #admits({ hostname }: Place): boolean {
    return this.#access(hostname) || this.#refuse(DENIED);
  }

  /** Hears of the client from the proxy in front. False: nobody may be served. */
  async #introduced(session: Session): Promise<boolean> {
    session.greetUntil = this.context.ticker.now + this.table.proxy!.readMs + TICK_MS;
    if (!await readProxyHeader(session)) return this.#refuse(BAD_PROXY_HEADER);
    session.greeted();
    return this.#admits(session.told?.source ?? session.client.remoteAddr as Deno.NetAddr);
  }

  /** Waits for the end of the handshake, within its limit. False: nobody may be served. */
  async #secured(session: Session, handshake: Handshake): Promise<boolean> {
    const { context, table } = this;
    const until = session.greetUntil = context.ticker.now + table.tls!.handshakeMs + TICK_MS;
    const outcome = await handshake.outcome;
    if (outcome.kind === "done") {
      if (session.closed) {
        outcome.conn.close();
        return false;
      }
      session.client = outcome.conn;
      session.alpn = outcome.alpn;
      session.greeted();
      return true;
    }
    if (outcome.kind === "failed") return this.#handshakeFailed(session, outcome.error);
    return context.ticker.now > until && this.#refuse(HANDSHAKE_TIMED_OUT);
  }

  #handshakeFailed({ client }: Session, error: unknown): false {
    const { context, table } = this;
    if (context.debug) {
      context.log("debug", "a TLS handshake failed", {
        server: table.name,
        client: (client.remoteAddr as Deno.NetAddr).hostname,
        why: whatHappened(error),
      });
    }
    return this.#refuse(HANDSHAKE_FAILED);
  }

  /** Are there few enough handshakes that aren't over? A new one counts itself. */
  #hasRoom(): boolean {
    const { tls } = this.table;
    return tls === undefined || this.unfinished.count <= tls.maxUnfinished ||
      this.#refuse(OVER_UNFINISHED);
  }

  /** Finds out what decides about the client. Undefined: nobody may serve it. */
  async #routed(session: Session, router: Router): Promise<Election | undefined> {
    const { hostname } = session.told?.source ?? session.client.remoteAddr as Deno.NetAddr;
    const asked = router.needsHello(hostname) ? await hear(session, router.readMs) : NOTHING_ASKED;
    if (typeof asked === "number") {
      if (asked > 0) this.#refuse(asked);
      return undefined;
    }
    // by the table in force: it may be another one by now, and again when a backend fails
    const election = () => this.#router ? this.#router.elect(hostname, asked) : this.#election();
    if (election() !== undefined) return election;
    this.#refuse(NO_ROUTE);
    return undefined;
  }

  /** Applies the limits, and counts the session. */
  #take(): boolean {
    const { table, context: { counters } } = this;
    if (!counters.take(PROCESS_SLOT, counters.capacity)) return this.#refuse(OVER_CAPACITY);
    if (!counters.take(table.slot, table.maxConnections)) {
      counters.release(PROCESS_SLOT);
      return this.#refuse(OVER_LIMIT);
    }
    counters.add(table.slot, TOTAL);
    return true;
  }

  #refuse(reason: number): false {
    const { context: { counters }, table: { slot } } = this;
    counters.add(slot, REFUSED);
    counters.add(slot, reason);
    return false;
  }
}

function compileProxies({ proxy }: ServerTable): (ip: string) => boolean {
  const rules = (proxy?.from ?? []).map((cidr) => ({ allow: true, cidr }));
  return compileAccess({ allowByDefault: false, rules });
}
