import type { RoutingSpec, ServerTable } from "../lib/model.ts";
import { type Asked, type ChoosePool, compileRoutes, NOTHING_ASKED } from "../lib/routes.ts";
import { BAD_HELLO, HELLO_TIMEOUT, NO_ROUTE } from "../lib/stats/layout.ts";
import { readHello } from "./hello.ts";
import type { Election, Pools } from "./pools.ts";
import type { Session } from "./session.ts";
import { TICK_MS } from "./ticker.ts";

/** Where a client is led: to an election, or nowhere, for a reason that is one of the counters' cells; 0: it has left. */
export type Led = Election | number;

/** Leads the clients of one server to pools, and within them to backends of their name. Made for one table. */
export class Router {
  readonly #choose: ChoosePool;

  /** Compiles the table's routes. */
  constructor(
    readonly routing: RoutingSpec,
    pool: string | undefined,
    readonly pools: Pools,
  ) {
    this.#choose = compileRoutes(routing.routes, pool);
  }

  /** Finds out what it must know of a session's client, reading its hello only where something depends on it. */
  async route(session: Session): Promise<Led> {
    const { sni } = this.routing;
    const source = session.told?.source ?? session.client.remoteAddr as Deno.NetAddr;
    let asked: Asked | undefined;
    let choice = this.#choose(source.hostname, asked);
    if (choice !== "hello" && choice.pool === undefined) return NO_ROUTE;
    if (choice === "hello" || sni !== undefined) {
      const heard = await this.#hear(session);
      if (typeof heard === "number") return heard;
      asked = heard;
      choice = this.#choose(source.hostname, asked);
    }
    const { serverName } = asked ?? NOTHING_ASKED;
    if (choice === "hello" || choice.pool === undefined) return NO_ROUTE;
    const { pool } = choice;
    const { pools } = this;
    if (sni === undefined) return () => pools.get(pool);
    const election = () => pools.byName(pool, sni, serverName);
    return election() === undefined ? NO_ROUTE : election;
  }

  /** What the client asks for, or the reason to refuse it. */
  async #hear(session: Session): Promise<Asked | number> {
    const { context, server } = session;
    const { ticker } = context;
    session.greetUntil = ticker.now + this.routing.readMs + TICK_MS;
    const heard = await readHello(session);
    if (session.closed) return ticker.now > session.greetUntil ? HELLO_TIMEOUT : 0;
    session.greetUntil = 0;
    session.dialSince = ticker.now;
    if (typeof heard !== "string") return heard;
    if (heard === "left") return 0;
    if (context.debug) {
      context.log("debug", "a client's hello is refused", { server: server.name, why: heard });
    }
    return BAD_HELLO;
  }
}

/** What leads a server's clients; undefined where all go to its pool. */
export function routerOf({ routing, pool }: ServerTable, pools: Pools): Router | undefined {
  return routing === undefined ? undefined : new Router(routing, pool, pools);
}
