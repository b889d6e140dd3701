import type { Clock } from "../clock.ts";
import { StartError } from "../errors.ts";
import { flowsBy } from "../host/conntrack.ts";
import { forwardingOff } from "../host/forwarding.ts";
import { type Nft, nftBy, NftError } from "../host/nft.ts";
import { processStarts } from "../host/process_starts.ts";
import type { RunProgram } from "../host/program.ts";
import type { Log } from "../log.ts";
import type { PoolTable, ServerTable } from "../model.ts";
import type { Counters } from "../stats/counters.ts";
import { Turns } from "../turns.ts";
import { Advice } from "./advice.ts";
import { type Claimed, Claims } from "./claims.ts";
import { FlowEnder } from "./flow_ender.ts";
import { backendsIn, tableName } from "./names.ts";
import { sweepTables } from "./sweep.ts";
import { KernelTable } from "./table.ts";
import { Upkeep } from "./upkeep.ts";

/** What the kernel is told by, and what about. */
export type ForwarderOptions = {
  readonly run: RunProgram;
  /** The number of this process. */
  readonly pid: number;
  /** The process that is taken over: its tables may be replaced. */
  readonly predecessor?: number | undefined;
  /** The addresses of this host. */
  readonly addresses: () => readonly string[];
  readonly counters: Counters;
  readonly clock: Clock;
  readonly log: Log;
};

/** How often it looks whether backends have changed. */
const LOOK_MS = 100;
/** How often it reads what the kernel has counted. */
const READ_MS = 1_000;

/**
 * Servers whose packets the kernel forwards: keeps a table of nftables' for each in line with pools and flags, reads what
 * it has counted, and removes it in the end. One program at a time; none runs before there is such a server.
 */
export class Forwarder {
  readonly #nft: Nft;
  readonly #claims: Claims;
  readonly #flows: FlowEnder;
  readonly #advice: Advice;
  readonly #upkeep: Upkeep;
  readonly #pools = new Map<string, PoolTable>();
  readonly #turns = new Turns();
  readonly #end = new AbortController();
  #looping: Promise<void> | undefined;
  /** Another process may go on serving, should this one fail. */
  #taking: boolean;
  #readAt = 0;

  /** Runs nothing yet. */
  constructor(readonly options: ForwarderOptions) {
    const { run, pid, addresses, clock, log, predecessor } = options;
    this.#taking = predecessor !== undefined;
    const nft = this.#nft = nftBy(run);
    const starts = (pids: readonly number[]) => processStarts(run, pids);
    const claims = this.#claims = new Claims({ nft, pid, processStarts: starts });
    const flows = this.#flows = new FlowEnder({ flows: flowsBy(run), addresses, log });
    const advice = this.#advice = new Advice({
      log,
      forwardingOff: (families) => forwardingOff(run, families),
    });
    this.#upkeep = new Upkeep({ claims, flows, advice, clock, log });
  }

  /** Removes what processes that are dead have left in the kernel. It never throws. */
  sweep(): Promise<void> {
    const { log } = this.options;
    return this.#turns.next(() =>
      sweepTables({ nft: this.#nft, claims: this.#claims, flows: this.#flows, log })
    );
  }

  /** The process that was to be taken over from serves no longer: its tables are this one's for good. */
  takenOver(): void {
    this.#taking = false;
  }

  /** While a takeover may fail: leaves the predecessor's tables in the kernel, where they serve, for it to take back. */
  #handBack(tables: Iterable<KernelTable>): void {
    if (!this.#taking) return;
    for (const table of tables) if (table.inherited) table.holder = "process";
  }

  /** Is the kernel in line with everything that holds now? */
  get upToDate(): boolean {
    return this.#upkeep.all().every((table) => table.upToDate);
  }

  /** A pool's table; the kernel follows within {@link LOOK_MS}. */
  setPool(pool: PoolTable): void {
    this.#pools.set(pool.name, pool);
    for (const table of this.#upkeep.all()) {
      if (table.server.pool === pool.name) table.pool = pool;
    }
  }

  /** Nobody is led to it any more: its servers have gone. */
  forgetPool(name: string): void {
    this.#pools.delete(name);
  }

  /** Makes the kernel forward a server, or changes how it does. @throws StartError; then nothing has changed. */
  serve(server: ServerTable): Promise<void> {
    return this.#turns.next(async () => {
      try {
        await this.#serve(server);
      } catch (error) {
        throw error instanceof NftError ? startError(server, error) : error;
      }
    });
  }

  /** Takes no new sessions of a server. Those that it has end with their clients, or at once with `abort`. */
  stop(name: string, abort: boolean): Promise<void> {
    return this.#turns.next(async () => {
      const { tables } = this.#upkeep;
      const table = tables.get(name);
      tables.delete(name);
      if (table !== undefined) this.#handBack([table]);
      if (table === undefined || table.lost) return;
      await this.#upkeep.attempt("leave", () => this.#upkeep.leave(table, abort || undefined));
    });
  }

  /** Ends sessions on these backends; without `all` nothing: backends that leave are noticed anyway. */
  cut(slots: readonly number[], all: boolean): void {
    if (!all) return;
    void this.#turns.next(async () => {
      for (const { server, members, lost } of this.#upkeep.tables.values()) {
        if (lost) continue;
        for (const member of members.filter(({ slot }) => slots.includes(slot))) {
          await this.#flows.endOn(server, member);
        }
      }
    });
  }

  /** Resolves when the kernel is in line with what holds now, or after so long. */
  async settled(limitMs: number): Promise<void> {
    if (this.upToDate) return;
    const enough = new AbortController();
    const looked = this.#turns.next(() => this.#upkeep.look());
    await Promise.race([looked, this.options.clock.sleep(limitMs, enough.signal)]);
    enough.abort();
  }

  /** Takes no new sessions. Resolves when the last TCP connection has ended, where that can be told, or at the {@link end}. */
  async drain(): Promise<void> {
    const upkeep = this.#upkeep;
    if (upkeep.all().length === 0) return;
    await this.#turns.next(async () => {
      this.#handBack(upkeep.all());
      await upkeep.attempt("read", () => upkeep.read()); // another process may have taken over
      for (const table of upkeep.own()) table.withdraw();
      await upkeep.look();
    });
    const { clock, log } = this.options;
    const { signal } = this.#end;
    for (let first = true; !signal.aborted; first = false) {
      const open = await this.#turns.next(() => upkeep.openCount());
      if (open === 0) return;
      if (first) log.info("connections that the kernel forwards may finish", { open });
      await clock.sleep(READ_MS, signal);
    }
  }

  /** Takes everything out of the kernel that is this process's, and ends its sessions. It never throws. */
  async end(): Promise<void> {
    this.#end.abort();
    await this.#looping;
    await this.#turns.next(async () => {
      this.#handBack(this.#upkeep.all());
      for (const table of this.#upkeep.own()) {
        await this.#upkeep.remove(table).catch(() => {}); // another process has it by now
      }
      this.#upkeep.tables.clear();
      this.#upkeep.leaving.clear();
    });
  }

  async #serve(server: ServerTable): Promise<void> {
    const before = this.#upkeep.tables.get(server.name);
    if (before !== undefined && !before.lost && before.name === tableName(server)) {
      await this.#change(before, server);
    } else await this.#begin(server, before);
    await this.#advice.begins(server);
    this.#looping ??= this.#loop();
  }

  /** Writes a new table, then lets go of the one that the server had elsewhere. */
  async #begin(server: ServerTable, before: KernelTable | undefined): Promise<void> {
    const upkeep = this.#upkeep;
    const known = await this.#refuseTaken(server);
    const old = known === undefined ? [] : backendsIn(known.counts);
    const table = new KernelTable(server, {
      nft: this.#nft,
      counters: this.options.counters,
      mark: await this.#claims.mark(),
    });
    table.pool = this.#poolOf(server);
    table.inherited = known?.standing === "runs";
    await table.take();
    for (const other of upkeep.all()) if (other.name === table.name) other.holder = "server";
    upkeep.tables.set(server.name, table);
    // what clients had with this host before would never be led to a backend
    if (server.protocol === "udp" && known === undefined) await this.#flows.endAll(server);
    await upkeep.endFlows(table, old);
    if (before !== undefined && !before.lost) {
      await upkeep.attempt("leave", () => upkeep.leave(before));
    }
    this.#advice.leadsTo(server, table.members);
  }

  async #change(table: KernelTable, server: ServerTable): Promise<void> {
    const before = table.server;
    table.server = server;
    table.pool = this.#poolOf(server);
    try {
      await this.#upkeep.sync(table);
    } catch (error) {
      table.server = before;
      table.pool = this.#poolOf(before);
      throw error;
    }
  }

  #poolOf({ pool }: ServerTable): PoolTable | undefined {
    return this.#pools.get(pool ?? "");
  }

  /** Is there a table for the address already? @throws StartError where it is another process's that runs. */
  async #refuseTaken(server: ServerTable): Promise<Claimed | undefined> {
    const claimed = (await this.#claims.list()).get(tableName(server));
    if (claimed?.standing === "runs" && claimed.owner?.pid !== this.options.predecessor) {
      const text = `server "${server.name}" can't be forwarded by the kernel: process ` +
        `${claimed.owner?.pid} does so already`;
      throw new StartError(text, "choose another bind, or end that process");
    }
    return claimed;
  }

  async #loop(): Promise<void> {
    const { clock } = this.options;
    const { signal } = this.#end;
    const upkeep = this.#upkeep;
    for (;;) {
      await clock.sleep(LOOK_MS, signal);
      if (signal.aborted) return;
      await this.#turns.next(async () => {
        await upkeep.look();
        if (clock.now() < this.#readAt || upkeep.all().length === 0) return;
        this.#readAt = clock.now() + READ_MS;
        await upkeep.attempt("read", () => upkeep.read());
        await upkeep.attempt("leave", () => upkeep.letGo());
      });
    }
  }
}

function startError({ name }: ServerTable, error: NftError): StartError {
  return new StartError(
    `server "${name}" can't be forwarded by the kernel: ${error.message}`,
    error.hint ?? "see what is there: nft list tables",
    false,
    error,
  );
}
