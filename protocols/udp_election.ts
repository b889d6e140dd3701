import { clientKey } from "../lib/client_key.ts";
import type { Electorate } from "../lib/election.ts";
import type { Member, ServerTable } from "../lib/model.ts";
import { classify, isOurs, whatHappened } from "../lib/net/errors.ts";
import { type ChoosePool, compileRoutes, NOTHING_ASKED } from "../lib/routes.ts";
import { DOWN, EJECTED, REFUSED } from "../lib/stats/layout.ts";
import type { UdpSpec } from "../lib/udp_spec.ts";
import type { Context } from "./context.ts";
import type { Pools } from "./pools.ts";
import { Affinity } from "./udp_affinity.ts";
import { Silence } from "./udp_silence.ts";

/** The table of a server of datagrams. */
export type UdpTable = ServerTable & { readonly udp: UdpSpec };

/** A backend that a session is counted on, and who it was chosen from. */
export type Choice = { readonly member: Member; electorate: Electorate };

/** Chooses backends for the clients of one server of datagrams, and knows which of them have failed. */
export class UdpElection {
  readonly #silence: Silence;
  readonly #affinity = new Affinity();
  #table: UdpTable;
  #choose: ChoosePool;

  /** Uses this table until {@link update}. */
  constructor(table: UdpTable, readonly pools: Pools, readonly context: Context) {
    this.#table = table;
    this.#choose = chooserOf(table);
    this.#silence = new Silence(table.udp);
  }

  /** Uses a new table from the next datagram on. */
  update(table: UdpTable): void {
    this.#table = table;
    this.#choose = chooserOf(table);
    this.#silence.limits = table.udp;
  }

  /**
   * Chooses a backend and counts a session on it: where the client's other ports are, or else one that hasn't failed.
   * The caller releases its slot. Undefined: nobody can be had.
   */
  elect(ip: string): Choice | undefined {
    const { counters, ticker } = this.context;
    const electorate = this.#electorate(ip);
    if (electorate === undefined) return undefined;
    const failed = this.#silence.all(ticker.now);
    const usual = this.#table.udp.key === "ip" ? this.#usual(ip, electorate, failed) : undefined;
    if (usual !== undefined && counters.take(usual.slot, usual.maxConnections)) {
      return { member: usual, electorate };
    }
    const key = electorate.keyed ? clientKey(ip, this.#table.keyWidth) : 0;
    const member = electorate.lease(key, failed) ??
      (failed.length > 0 ? electorate.lease(key, []) : undefined);
    return member && { member, electorate };
  }

  /** Is a session's backend still one of its pool, and does it work? */
  serves(choice: Choice, ip: string): boolean {
    const { counters, ticker } = this.context;
    const { slot } = choice.member;
    if ((counters.flags(slot) & (DOWN | EJECTED)) !== 0) return false;
    if (this.#silence.failed(slot, ticker.now)) return false;
    const electorate = this.#electorate(ip);
    if (electorate === choice.electorate) return true;
    if (!electorate?.table.members.some((member) => member.slot === slot)) return false;
    choice.electorate = electorate;
    return true;
  }

  /** A session of this client has begun. */
  began(ip: string, member: Member): void {
    this.#affinity.add(ip, member);
  }

  /** A session of this client has ended. */
  ended(ip: string): void {
    this.#affinity.remove(ip);
  }

  /** A backend is about to get a request. */
  asked({ slot, address, port }: Member): void {
    const { counters, log, ticker } = this.context;
    if (!this.#silence.asked(slot, ticker.now)) return;
    counters.add(slot, REFUSED);
    log("warning", "a backend doesn't answer: its clients go to others", {
      server: this.#table.name,
      backend: `${address}:${port}`,
    });
  }

  /** A backend has answered. */
  answered({ slot }: Member): void {
    this.#silence.answered(slot);
  }

  /** A request couldn't be sent to a backend. */
  unreachable({ slot, address, port }: Member, error: unknown): void {
    if (isOurs(error) || classify(error) === "permission") return;
    const { counters, log, ticker } = this.context;
    counters.add(slot, REFUSED);
    this.#silence.unreachable(slot, ticker.now);
    log("warning", "can't send to a backend", {
      server: this.#table.name,
      backend: `${address}:${port}`,
      why: whatHappened(error),
    });
  }

  #electorate(ip: string): Electorate | undefined {
    const choice = this.#choose(ip, NOTHING_ASKED);
    const pool = choice === "hello" ? undefined : choice.pool;
    return pool === undefined ? undefined : this.pools.get(pool);
  }

  /** The backend that the client's other ports are with, if it takes sessions. */
  #usual(ip: string, { table }: Electorate, failed: readonly number[]): Member | undefined {
    const slot = this.#affinity.get(ip)?.slot;
    if (slot === undefined || failed.includes(slot) || this.context.counters.flags(slot) !== 0) {
      return;
    }
    return table.members.find((member) => member.slot === slot);
  }
}

function chooserOf({ routing, pool }: ServerTable): ChoosePool {
  return compileRoutes(routing?.routes ?? [], pool);
}
