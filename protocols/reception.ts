import { compileAccess } from "../lib/access.ts";
import type { ServerTable } from "../lib/model.ts";
import { whatHappened } from "../lib/net/errors.ts";
import { type Asked, NOTHING_ASKED } from "../lib/routes.ts";
import {
  BAD_PROXY_HEADER,
  DENIED,
  HANDSHAKE_TIMED_OUT,
  NO_ROUTE,
  UNKNOWN_PROXY,
} from "../lib/stats/layout.ts";
import type { Guard } from "./guard.ts";
import { type Handshake, handshakeFailed, type Unfinished } from "./handshake.ts";
import { readProxyHeader } from "./introduce.ts";
import type { Link } from "./link.ts";
import type { Election, Pools } from "./pools.ts";
import { hear, Router } from "./router.ts";
import type { Place, Session } from "./session.ts";
import { TICK_MS } from "./ticker.ts";

/** Why a client is refused, which is one of the counters' cells; 0: it has left, and so needn't be. */
export type Refusal = number;

/** What a server goes through with a client before it dials a backend. Made for one table. */
export class Reception {
  readonly #access: (ip: string) => boolean;
  /** May this address send a PROXY header? Undefined: nobody does. */
  readonly #proxies: ((ip: string) => boolean) | undefined;
  readonly #router: Router | undefined;
  readonly #pool: Election;
  readonly #current: Election;
  /** Everybody's, where nothing has to be known of a client; undefined: it has to be received. */
  readonly everybodys: Election | undefined;

  /**
   * Compiles the table's rules and routes.
   * @param current Gives the reception in force, which another one may have replaced while a client was received.
   */
  constructor(
    readonly table: ServerTable,
    pools: Pools,
    readonly current: () => Reception,
  ) {
    this.#access = compileAccess(table.access);
    this.#proxies = compileProxies(table);
    this.#router = table.routing && new Router(table.routing, table.pool, pools);
    const { pool } = table;
    this.#pool = () => pool === undefined ? undefined : pools.get(pool);
    this.#current = () => this.current().#pool();
    if (this.#proxies === undefined && this.#router === undefined) this.everybodys = this.#current;
  }

  /** Looks at who has connected. Undefined: it may go on. */
  look({ remoteAddr }: Link): Refusal | undefined {
    const { hostname } = remoteAddr as Place;
    if (this.#proxies === undefined) return this.#access(hostname) ? undefined : DENIED;
    return this.#proxies(hostname) ? undefined : UNKNOWN_PROXY;
  }

  /**
   * Hears what a client says first: a proxy's header, its handshake, its hello, as the server needs them.
   *
   * @param handshake Where its listener speaks TLS.
   * @param guard Where hellos are read before TLS is spoken.
   */
  async receive(
    session: Session,
    handshake: Handshake | undefined,
    guard: Guard | undefined,
    unfinished: Unfinished,
  ): Promise<Election | Refusal> {
    guard?.hold();
    try {
      return await this.#received(session, handshake, guard, unfinished);
    } finally {
      guard?.letGo();
    }
  }

  async #received(
    session: Session,
    handshake: Handshake | undefined,
    guard: Guard | undefined,
    unfinished: Unfinished,
  ): Promise<Election | Refusal> {
    if (this.#proxies !== undefined) {
      const refusal = await this.#introduced(session);
      if (refusal !== undefined) return refusal;
    }
    if (handshake !== undefined) {
      const refusal = await secured(session, handshake);
      if (refusal !== undefined) return refusal;
    }
    const readMs = this.#router?.readMs ?? Infinity;
    const asked = await guard?.receive(session, unfinished, readMs);
    return typeof asked === "number" ? asked : await this.current().#lead(session, asked);
  }

  /** Finds out what decides about the client. */
  async #lead(session: Session, heard: Asked | undefined): Promise<Election | Refusal> {
    const router = this.#router;
    if (router === undefined) return this.#current;
    const { hostname } = session.told?.source ?? session.client.remoteAddr as Deno.NetAddr;
    const asked = heard ??
      (router.needsHello(hostname) ? await hear(session, router.readMs) : NOTHING_ASKED);
    if (typeof asked === "number") return asked;
    // by the table in force: it may be another one by now, and again when a backend fails
    const election = () => this.current().#elect(hostname, asked);
    return election() === undefined ? NO_ROUTE : election;
  }

  #elect(hostname: string, asked: Asked): ReturnType<Election> {
    return this.#router === undefined ? this.#pool() : this.#router.elect(hostname, asked);
  }

  /** Hears of the client from the proxy in front. */
  async #introduced(session: Session): Promise<Refusal | undefined> {
    const { ticker } = session.context;
    const until = session.greetUntil = ticker.now + this.table.proxy!.readMs + TICK_MS;
    if (!await readProxyHeader(session)) {
      return session.closed && ticker.now <= until ? 0 : BAD_PROXY_HEADER;
    }
    session.greeted();
    const { hostname } = session.told?.source ?? session.client.remoteAddr as Deno.NetAddr;
    return this.current().#access(hostname) ? undefined : DENIED;
  }
}

/** Waits for the end of the handshake, within its limit. */
async function secured(session: Session, handshake: Handshake): Promise<Refusal | undefined> {
  const { context: { ticker }, server } = session;
  const until = session.greetUntil = ticker.now + server.tls!.handshakeMs + TICK_MS;
  const outcome = await handshake.outcome;
  if (outcome.kind === "failed") return handshakeFailed(session, whatHappened(outcome.error));
  if (outcome.kind === "closed") return ticker.now > until ? HANDSHAKE_TIMED_OUT : 0;
  if (session.closed) {
    outcome.conn.close();
    return 0;
  }
  session.client = outcome.conn;
  session.alpn = outcome.alpn;
  session.greeted();
  return undefined;
}

function compileProxies({ proxy }: ServerTable): ((ip: string) => boolean) | undefined {
  if (proxy === undefined || proxy.from.length === 0) return undefined;
  const rules = proxy.from.map((cidr) => ({ allow: true, cidr }));
  return compileAccess({ allowByDefault: false, rules });
}
