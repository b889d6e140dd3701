import { strategies } from "../../lib/balance/registry.ts";
import type { FromWorker } from "../../lib/messages.ts";
import type { Member, ServerTable, SessionLimits } from "../../lib/model.ts";
import { counterBuffer, Counters } from "../../lib/stats/counters.ts";
import { DataPlane } from "../../protocols/data_plane.ts";
import { until } from "./backends.ts";
import { member, table } from "./members.ts";

/** Limits that never end a test's session by themselves. */
export const LIMITS: SessionLimits = {
  clientIdleMs: 0,
  backendIdleMs: 0,
  halfCloseMs: 60_000,
  dialMs: 5_000,
  dialBudgetMs: 10_000,
  dialAttempts: 3,
  bufferMaxBytes: 256 << 10,
};

/** The slots of the server and of the first backend. */
export const SERVER_SLOT = 2;
export const BACKEND_SLOT = 10;

/** One data plane in this isolate, with one server in front of backends on loopback. */
export class Plane implements AsyncDisposable {
  readonly said: FromWorker[] = [];
  readonly counters: Counters;
  readonly plane: DataPlane;
  readonly port: number;

  /** @param ports Of the backends, all on 127.0.0.1. */
  constructor(
    ports: readonly number[],
    limits: Partial<SessionLimits> = {},
    readonly server: Partial<ServerTable> = {},
    strategy = "roundrobin",
    members?: readonly Member[],
  ) {
    const buffer = counterBuffer(1);
    this.counters = new Counters(buffer, 1, 1);
    this.plane = new DataPlane(
      { counters: buffer, workers: 1, index: 0, bufferBudget: 64 << 20, debug: true },
      strategies,
      (message) => this.said.push(message),
    );
    // held until it listens there: between two listeners somebody else might get the port, and the test's clients
    using holder = held(server.protocol ?? "tcp");
    this.port = holder.port;
    this.setPool(
      members ?? ports.map((port, i) => member(i, { address: "127.0.0.1", port })),
      strategy,
    );
    this.serve(limits);
  }

  setPool(members: readonly Member[], strategy = "roundrobin"): void {
    this.plane.handle({ kind: "pool", pool: table(strategy, members) });
  }

  serve(limits: Partial<SessionLimits> = {}): void {
    const server: ServerTable = {
      name: "web",
      protocol: "tcp",
      pool: "pool",
      slot: SERVER_SLOT,
      hostname: "127.0.0.1",
      port: this.port,
      keyWidth: 4,
      maxConnections: 0,
      limits: { ...LIMITS, ...limits },
      access: { allowByDefault: true, rules: [] },
      onRemove: "finish",
      ...this.server,
    };
    this.plane.handle({ kind: "serve", server });
  }

  /** A client's connection; the test closes it. */
  connect(): Promise<Deno.TcpConn> {
    return Deno.connect({ hostname: "127.0.0.1", port: this.port });
  }

  /** Sessions open now. */
  get sessions(): number {
    return this.counters.active(SERVER_SLOT);
  }

  /** A counter of the server's slot, or of another. */
  count(cell: number, slot = SERVER_SLOT): number {
    return this.counters.sum(slot, cell);
  }

  /** Waits until nothing is open any more. */
  async idle(withinMs = 5_000): Promise<void> {
    await until(() => this.sessions === 0, withinMs, "the end of all sessions");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.plane[Symbol.dispose]();
    await new Promise((resolve) => setTimeout(resolve, 5)); // pending reads settle
  }
}

/** A port that others may have as well; dispose it when they have. */
export function held(protocol: ServerTable["protocol"]): Disposable & { readonly port: number } {
  const at = { hostname: "127.0.0.1", port: 0 };
  const holder = protocol === "udp"
    ? Deno.listenDatagram({ ...at, transport: "udp", reuseAddress: true })
    : Deno.listen({ ...at, reusePort: true });
  const { port } = holder.addr as Deno.NetAddr;
  return { port, [Symbol.dispose]: () => holder.close() };
}
