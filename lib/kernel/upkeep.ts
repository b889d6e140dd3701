import type { Clock } from "../clock.ts";
import { messageOf } from "../errors.ts";
import { NftError } from "../host/nft.ts";
import type { Log } from "../log.ts";
import type { Advice } from "./advice.ts";
import type { Claimed, Claims } from "./claims.ts";
import type { FlowEnder } from "./flow_ender.ts";
import { backendName, type Place } from "./names.ts";
import type { KernelTable } from "./table.ts";

/** What {@link Upkeep} works with. */
export type UpkeepOptions = {
  readonly claims: Claims;
  readonly flows: FlowEnder;
  readonly advice: Advice;
  readonly clock: Clock;
  readonly log: Log;
};

/** How long what has failed is left alone. */
const RETRY_MS = 1_000;

/** The tables of this process in the kernel, kept in line with what holds. Its owner lets it do one thing at a time. */
export class Upkeep {
  /** By server. */
  readonly tables = new Map<string, KernelTable>();
  /** They take no new sessions, and go when their last one has ended. */
  readonly leaving = new Set<KernelTable>();
  /** Why what fails does so, until it doesn't any more. */
  readonly #failing = new Map<string, string>();
  #retryAt = 0;

  /** Has none yet. */
  constructor(readonly options: UpkeepOptions) {}

  /** Those that leave included. */
  all(): KernelTable[] {
    return [...this.tables.values(), ...this.leaving];
  }

  /** Those that are ours to change. */
  own(): KernelTable[] {
    return this.all().filter(({ lost }) => !lost);
  }

  /** Brings all tables in line. It never throws. */
  async look(): Promise<void> {
    if (this.options.clock.now() < this.#retryAt) return;
    for (const table of this.all()) {
      if (!table.upToDate) await this.attempt(table.name, () => this.sync(table), table);
    }
  }

  /** Brings a table in line, and ends the connections that nobody shall have any more. @throws NftError */
  async sync(table: KernelTable): Promise<void> {
    if (table.forgets) await this.read();
    const { flows, advice } = this.options;
    const { server } = table;
    const { left, failed } = await table.sync();
    const always = server.protocol === "udp"; // its clients would go on sending there
    for (const member of left) {
      if (always || server.onRemove === "close") await flows.endOn(server, member);
    }
    for (const member of failed) if (always) await flows.endOn(server, member);
    advice.leadsTo(server, table.members);
  }

  /** Ends the connections with those of these backends that the table doesn't know: its server's are others now. */
  async endFlows(table: KernelTable, backends: readonly Place[]): Promise<void> {
    const { server } = table;
    if (server.protocol !== "udp" && server.onRemove !== "close") return;
    const known = new Set(table.members.map(backendName));
    for (const backend of backends) {
      if (!known.has(backendName(backend))) await this.options.flows.endOn(server, backend);
    }
  }

  /** Reads what the kernel has counted, and writes anew what somebody has removed. @throws NftError */
  async read(): Promise<void> {
    const claimed = await this.options.claims.list();
    for (const table of this.all()) {
      if (table.holder !== "server") await this.#judge(table, claimed.get(table.name));
    }
  }

  async #judge(table: KernelTable, claimed: Claimed | undefined): Promise<void> {
    const { standing = "none", counts, owner } = claimed ?? {};
    if (standing === "own") return table.count(counts!);
    if (standing === "runs" || standing === "elsewhere") {
      if (table.lost) return;
      table.holder = "process";
      const about = { server: table.server.name, pid: owner?.pid };
      this.options.log.info("another process forwards this server now", about);
      return;
    }
    if (!table.serving) { // it would be written anew to lead nobody anywhere
      table.holder = "process";
      return;
    }
    await table.take();
    this.options.log.warning("a server's rules had gone from the kernel: they are written anew", {
      server: table.server.name,
      table: table.name,
    });
  }

  /** Lets a table take no new sessions, and removes it when its last one has ended, or at once. @throws NftError */
  async leave(table: KernelTable, atOnce = table.server.protocol === "udp"): Promise<void> {
    this.leaving.add(table);
    await this.read().catch(() => {}); // what it has counted so far is its server's
    table.retired = true;
    table.withdraw();
    if (!atOnce) return await this.sync(table);
    await this.remove(table);
    this.leaving.delete(table);
  }

  /** Removes a table and ends its sessions. @throws NftError where it isn't ours any more. */
  async remove(table: KernelTable): Promise<void> {
    await table.remove();
    await this.options.flows.endAll(table.server);
  }

  /** TCP connections that are open, as far as anybody can tell. */
  async openCount(): Promise<number> {
    let sum = 0;
    for (const { server } of this.own()) sum += await this.options.flows.countOpen(server);
    return sum;
  }

  /** Removes tables whose last connection has ended. @throws NftError */
  async letGo(): Promise<void> {
    for (const table of this.leaving) {
      if (!table.lost && await this.options.flows.countOpen(table.server) > 0) continue;
      await table.remove();
      this.leaving.delete(table);
    }
  }

  /** Does something that may fail, which is logged once; then nothing is tried for a while. `what` tells it from others. */
  async attempt(what: string, act: () => Promise<void>, table?: KernelTable): Promise<void> {
    const { clock, log } = this.options;
    try {
      await act();
      if (!this.#failing.delete(what) || this.#failing.size > 0) return;
      log.info("the kernel's rules can be changed again");
    } catch (error) {
      if (table !== undefined) {
        await this.read().catch(() => {}); // it has gone, or is another's: that is all there is to it
        if (table.upToDate) return;
      }
      this.#retryAt = clock.now() + RETRY_MS;
      const why = messageOf(error);
      const told = [...this.#failing.values()].includes(why);
      this.#failing.set(what, why);
      if (told) return;
      const hint = error instanceof NftError && error.hint !== undefined
        ? { hint: error.hint }
        : {};
      log.error("the kernel's rules can't be changed; it is tried again", { why, ...hint });
    }
  }
}
