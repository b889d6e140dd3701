import type { StrategyKind } from "../lib/kinds.ts";
import type { FromWorker, ToWorker, WorkerSetup } from "../lib/messages.ts";
import { Lru } from "../lib/lru.ts";
import type { ServerTable } from "../lib/model.ts";
import { whatHappened } from "../lib/net/errors.ts";
import type { Registry } from "../lib/registry.ts";
import { Counters } from "../lib/stats/counters.ts";
import { BUFFER_DENIED, LOG_DROPPED, PROCESS_SLOT } from "../lib/stats/layout.ts";
import { Buffers } from "./buffers.ts";
import type { Context, WorkerLog } from "./context.ts";
import { Pools } from "./pools.ts";
import type { Server } from "./server.ts";
import { Sessions } from "./sessions.ts";
import { TcpServer } from "./tcp.ts";
import { TICK_MS, Ticker } from "./ticker.ts";
import { UdpServer } from "./udp.ts";

/** Lines that a worker may log in a second; debug lines have as much again. */
const LOG_LINES_PER_SECOND = 50;

/** Clients' certificates that are remembered: more than the runtime remembers sessions. */
const VERIFIED_CERTIFICATES = 16_384;

/**
 * Everything that one worker does, whichever isolate it runs in: takes messages, answers through `post`.
 * Disposing it closes every socket.
 */
export class DataPlane {
  readonly #context: Context;
  readonly #pools: Pools;
  readonly #servers = new Map<string, Server>();
  /** Servers that another one has taken over from, until their queues are empty. */
  readonly #leaving = new Set<Server>();
  readonly #index: number;

  /** Listens nowhere yet. */
  constructor(
    setup: WorkerSetup,
    strategies: Registry<StrategyKind>,
    readonly post: (message: FromWorker) => void,
  ) {
    const counters = new Counters(setup.counters, setup.workers, setup.index);
    this.#index = setup.index;
    const sessions = new Sessions();
    const log = limitedLog(post, counters);
    const ticker = new Ticker(() => performance.now(), () => {
      counters.beat(setup.index);
      log.refill();
      sessions.sweep(ticker.now);
    });
    this.#context = {
      counters,
      ticker,
      sessions,
      verified: new Lru(VERIFIED_CERTIFICATES),
      buffers: new Buffers(setup.bufferBudget, () => counters.add(PROCESS_SLOT, BUFFER_DENIED)),
      log: log.write,
      debug: setup.debug,
    };
    this.#pools = new Pools(strategies, counters, Math.random, log.write);
  }

  /** Does what a message says. */
  handle(message: ToWorker): void {
    switch (message.kind) {
      case "pool":
        return this.#pools.set(message.pool);
      case "forget":
        return this.#pools.delete(message.pool);
      case "serve":
        return this.#serve(message.server);
      case "stop":
        return this.#stop(message.server, message.abort);
      case "cut":
        return this.#cut(new Set(message.slots), message.all);
      case "drain":
        return void this.#drain();
      case "abort":
        return this.#context.sessions.close(() => true);
      case "version":
        return this.#context.counters.setSeen(this.#index, message.version);
      case "fault":
        return fault(message.fault);
      case "setup": // has made this object
    }
  }

  #serve(table: ServerTable): void {
    const { name } = table;
    const running = this.#servers.get(name) ?? this.#renamed(table);
    if (running?.suits(table)) {
      running.update(table);
      return this.post({ kind: "listening", server: name });
    }
    try {
      this.#open(table, running);
      this.post({ kind: "listening", server: name });
    } catch (error) {
      this.post({ kind: "failed", server: name, why: whatHappened(error) });
    }
  }

  /** Opens a server's listener before that of the one that it replaces closes. @throws What listening throws. */
  #open(table: ServerTable, before: Server | undefined): void {
    const server = this.#serverOf(table, before);
    const { hostname, port } = table;
    if (before?.table.hostname === hostname && before.table.port === port) void this.#leave(before);
    else before?.stop();
    this.#servers.set(table.name, server);
  }

  #serverOf(table: ServerTable, before: Server | undefined): Server {
    if (table.protocol === "udp") return new UdpServer(table, this.#pools, this.#context);
    const tcp = before instanceof TcpServer ? before : undefined;
    return this.#tcpServer(table, tcp, tcp?.guarded && table.tls?.guard === "auto");
  }

  #tcpServer(table: ServerTable, before: TcpServer | undefined, guarded?: boolean): TcpServer {
    return new TcpServer(table, this.#pools, this.#context, {
      unfinished: before?.table.slot === table.slot ? before.unfinished : undefined,
      guarded,
      onWorn: (worn) => this.#replace(worn),
      onGuard: (server, guarded) => this.#guard(server, guarded),
    });
  }

  /** Replaces a server by one that is guarded against silent clients, or isn't any more. */
  #guard(before: TcpServer, guarded: boolean): boolean {
    const { table, unfinished } = before;
    const { name } = table;
    if (this.#servers.get(name) !== before) return true; // it leaves already
    try {
      this.#servers.set(name, this.#tcpServer(table, before, guarded));
    } catch (error) {
      const why = whatHappened(error);
      this.#context.log("error", "can't change how TLS is guarded", { server: name, why });
      return false;
    }
    const fields = { server: name, unfinished: unfinished.count };
    if (guarded) {
      before.stop(); // at once: who is in its queue may be silent, too
      this.#context.log("warning", "too many silent clients: TLS is guarded against them", fields);
    } else {
      void this.#leave(before);
      this.#context.log("info", "silent clients have gone: TLS isn't guarded any more", fields);
    }
    return true;
  }

  async #leave(server: Server): Promise<void> {
    this.#leaving.add(server);
    await server.finish();
    this.#leaving.delete(server);
  }

  #replace(worn: TcpServer): void {
    const { table } = worn;
    if (this.#servers.get(table.name) !== worn) return; // it leaves already
    try {
      this.#open(table, worn);
    } catch (error) {
      const why = whatHappened(error);
      this.#context.log("error", "can't listen anew", { server: table.name, why });
    }
  }

  /** A server that listens there under another name: a listener that isn't closed loses nobody. */
  #renamed({ name, protocol, hostname, port }: ServerTable): Server | undefined {
    for (const [oldName, server] of this.#servers) {
      const { table } = server;
      if (table.hostname !== hostname || table.port !== port) continue;
      if (table.protocol !== protocol) continue;
      this.#servers.delete(oldName);
      this.#servers.set(name, server);
      return server;
    }
    return undefined;
  }

  #stop(name: string, abort: boolean): void {
    this.#servers.get(name)?.stop();
    this.#servers.delete(name);
    for (const server of this.#leaving) if (server.table.name === name) server.stop();
    if (abort) this.#context.sessions.close((session) => session.server.name === name);
    this.post({ kind: "stopped", server: name });
  }

  #cut(slots: ReadonlySet<number>, all: boolean): void {
    this.#context.sessions.close(({ member, server }) =>
      (all || server.onRemove === "close") && member !== undefined && slots.has(member.slot)
    );
  }

  async #drain(): Promise<void> {
    const servers = [...this.#servers.values(), ...this.#leaving];
    await Promise.all(servers.map((server) => server.finish()));
    await this.#context.sessions.whenEmpty();
    this.post({ kind: "drained" });
  }

  /** Closes everything. */
  [Symbol.dispose](): void {
    for (const server of [...this.#servers.values(), ...this.#leaving]) server.stop();
    this.#context.sessions.close(() => true);
    this.#context.ticker[Symbol.dispose]();
  }
}

/** Logs through the control plane, a bounded number of lines a second; what is over is counted. */
function limitedLog(
  post: (message: FromWorker) => void,
  counters: Counters,
): { readonly write: WorkerLog; readonly refill: () => void } {
  const most = LOG_LINES_PER_SECOND;
  let lines = most;
  let debugLines = most;
  return {
    write(level, message, fields) {
      const left = level === "debug" ? debugLines-- : lines--;
      if (left > 0) return post({ kind: "log", level, message, fields });
      counters.add(PROCESS_SLOT, LOG_DROPPED);
    },
    refill() {
      const share = most * TICK_MS / 1000;
      lines = Math.min(most, Math.max(0, lines) + share);
      debugLines = Math.min(most, Math.max(0, debugLines) + share);
    },
  };
}

/** What a test asks for to see how the rest copes. */
function fault(fault: "die" | "hang"): void {
  if (fault === "hang") { for (;;); }
  setTimeout(() => {
    throw new Error("a fault that a test asked for");
  });
}
