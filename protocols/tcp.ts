import type { ServerTable } from "../lib/model.ts";
import { classify, whatHappened } from "../lib/net/errors.ts";
import {
  ACCEPT_ERRORS,
  BAD_PROXY_HEADER,
  DENIED,
  NO_BACKEND,
  NO_ROUTE,
  OVER_CAPACITY,
  OVER_LIMIT,
  PROCESS_SLOT,
  REFUSED,
  TOTAL,
  UNKNOWN_PROXY,
} from "../lib/stats/layout.ts";
import { compileAccess } from "../lib/access.ts";
import { NOTHING_ASKED } from "../lib/routes.ts";
import { connect } from "./connect.ts";
import type { Context } from "./context.ts";
import type { Election, Pools } from "./pools.ts";
import { relay } from "./relay.ts";
import { readProxyHeader } from "./introduce.ts";
import { hear, Router } from "./router.ts";
import { type Place, Session } from "./session.ts";
import { TICK_MS } from "./ticker.ts";

/** Connections that the kernel keeps for us until we accept them; its own limit is net.core.somaxconn. */
const BACKLOG = 4096;
/** Pause after an accept that failed for want of descriptors, or for a reason that we don't know. */
const ACCEPT_PAUSE_MS = 20;

/** Turns of the event loop in which nobody has come: then the queue is empty. */
const QUIET_TURNS = 3;
/** How long the queue of a listener may take to run empty before it is closed: under overload it never does. */
const LAST_CLIENTS_MS = 2_000;

/** A TCP server of one worker: its listener and what it does with clients. */
export class TcpServer {
  readonly #listener: Deno.TcpListener;
  /** May this address send a PROXY header? */
  #proxies: (ip: string) => boolean;
  #access: (ip: string) => boolean;
  #stopped = false;
  #accepted = 0;
  /** Everybody's, where nothing has to be known of a client. */
  readonly #election: Election = () => this.pools.get(this.table.pool!);
  #router: Router | undefined;

  /** Listens. @throws What `Deno.listen` throws. The caller stops it. */
  constructor(public table: ServerTable, readonly pools: Pools, readonly context: Context) {
    this.#access = compileAccess(table.access);
    this.#proxies = compileProxies(table);
    this.#router = table.routing && new Router(table.routing, table.pool, pools);
    this.#listener = Deno.listen({
      hostname: table.hostname,
      port: table.port,
      reusePort: true,
      tcpBacklog: BACKLOG,
    });
    void this.#accept();
  }

  /** Uses a new table from the next client on. The address must be the same. */
  update(table: ServerTable): void {
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
        const client = await this.#listener.accept();
        this.#accepted++;
        void this.#handle(client);
      } catch (error) {
        const happening = classify(error);
        if (this.#stopped || happening === "closed") return;
        if (happening === "reset") continue; // the client left while it was waiting for us
        await this.#acceptFailed(error);
      }
    }
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

  async #handle(client: Deno.TcpConn): Promise<void> {
    const { table, context } = this;
    const proxied = table.proxy !== undefined && table.proxy.from.length > 0;
    if (!(proxied ? this.#isProxy(client) : this.#admits(client.remoteAddr)) || !this.#take()) {
      return client.close();
    }
    const session = new Session(client, table, context);
    try {
      if (proxied && !await this.#introduced(session)) return session.close();
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

  #isProxy(client: Deno.TcpConn): boolean {
    return this.#proxies(client.remoteAddr.hostname) || this.#refuse(UNKNOWN_PROXY);
  }

  #admits({ hostname }: Place): boolean {
    return this.#access(hostname) || this.#refuse(DENIED);
  }

  /** Hears of the client from the proxy in front. False: nobody may be served. */
  async #introduced(session: Session): Promise<boolean> {
    session.greetUntil = this.context.ticker.now + this.table.proxy!.readMs + TICK_MS;
    if (!await readProxyHeader(session)) return this.#refuse(BAD_PROXY_HEADER);
    session.greetUntil = 0;
    return this.#admits(session.told?.source ?? session.client.remoteAddr as Deno.NetAddr);
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
