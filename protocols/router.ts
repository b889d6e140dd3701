import type { Electorate } from "../lib/election.ts";
import type { RoutingSpec, SniSpec } from "../lib/routing_spec.ts";
import { type Asked, type ChoosePool, compileRoutes } from "../lib/routes.ts";
import { BAD_HELLO, HELLO_TIMEOUT } from "../lib/stats/layout.ts";
import { readHello } from "./hello.ts";
import type { Pools } from "./pools.ts";
import type { Session } from "./session.ts";
import { TICK_MS } from "./ticker.ts";

/** Leads the clients of one server to pools, and within them to backends of their name. Made for one table. */
export class Router {
  readonly #choose: ChoosePool;
  readonly #sni: SniSpec | undefined;
  /** Longest wait for a client's hello, in milliseconds. */
  readonly readMs: number;

  /** Compiles the routes; `pool` is for whom none takes. */
  constructor(routing: RoutingSpec, pool: string | undefined, readonly pools: Pools) {
    this.#choose = compileRoutes(routing.routes, pool);
    this.#sni = routing.sni;
    this.readMs = routing.readMs;
  }

  /** Must the hello of a client at this address be read? */
  needsHello(client: string): boolean {
    const choice = this.#choose(client, undefined);
    return choice === "hello" || (this.#sni !== undefined && choice.pool !== undefined);
  }

  /** Who may serve a client; undefined: no route and no backend takes such clients, or the pool has gone. */
  elect(client: string, asked: Asked): Electorate | undefined {
    const choice = this.#choose(client, asked);
    if (choice === "hello" || choice.pool === undefined) return undefined;
    return this.#sni === undefined
      ? this.pools.get(choice.pool)
      : this.pools.byName(choice.pool, this.#sni, asked.serverName);
  }
}

/**
 * What a session's client asks for, or why it is refused, which is one of the counters' cells; 0: it has left, and so
 * needn't be. The session's time for dials begins afterwards.
 */
export async function hear(session: Session, readMs: number): Promise<Asked | number> {
  const { context, server } = session;
  const { ticker } = context;
  session.greetUntil = ticker.now + readMs + TICK_MS;
  const heard = await readHello(session);
  if (session.closed) return ticker.now > session.greetUntil ? HELLO_TIMEOUT : 0;
  session.greeted();
  if (typeof heard !== "string") return heard;
  if (heard === "left") return 0;
  if (context.debug) {
    context.log("debug", "a client's hello is refused", { server: server.name, why: heard });
  }
  return BAD_HELLO;
}
