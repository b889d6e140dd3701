import { clientKey } from "../lib/client_key.ts";
import { type Electorate, NOTHING_TRIED } from "../lib/election.ts";
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
export type Choice = {
  readonly member: Member;
  electorate: Electorate;
  /** It has failed, and so have all others. */
  readonly failed?: boolean;
};

/** How a session's backend does: it works, it doesn't answer, or nobody may be led there any more. */
export type Standing = "works" | "silent" | "gone";

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
    const { counters } = this.context;
    const electorate = this.#electorate(ip);
    if (electorate === undefined) return undefined;
    const failed = this.#failed(electorate);
    const usual = this.#table.udp.key === "ip" ? this.#usual(ip, electorate, failed) : undefined;
    if (usual !== undefined && counters.take(usual.slot, usual.maxConnections)) {
      return { member: usual, electorate };
    }
    const key = electorate.keyed ? clientKey(ip, this.#table.keyWidth) : 0;
    const member = electorate.lease(key, failed);
    if (member !== undefined || failed.length === 0) return member && { member, electorate };
    const other = electorate.lease(key, NOTHING_TRIED);
    return other && { member: other, electorate, failed: true };
  }

  /**
   * How a session's backend does.
   * @param unanswered The session itself waits for an answer: what others wait for says nothing about it.
   */
  standing(choice: Choice, ip: string, unanswered: boolean): Standing {
    const { counters, ticker } = this.context;
    const { member } = choice;
    if ((counters.flags(member.slot) & (DOWN | EJECTED)) !== 0) return "gone";
    const electorate = this.#electorate(ip);
    if (electorate !== choice.electorate) {
      if (!electorate?.table.members.some(({ slot }) => slot === member.slot)) return "gone";
      choice.electorate = electorate;
    }
    return unanswered && this.#silence.failed(member, ticker.now) ? "silent" : "works";
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
  asked(member: Member): void {
    const { counters, log, ticker } = this.context;
    if (!this.#silence.asked(member, ticker.now)) return;
    const { slot, address, port } = member;
    counters.add(slot, REFUSED);
    log("warning", "a backend doesn't answer: its clients go to others", {
      server: this.#table.name,
      backend: `${address}:${port}`,
    });
  }

  /** A backend has answered. */
  answered(member: Member): void {
    this.#silence.answered(member);
  }

  /** A request couldn't be sent to a backend. */
  unreachable(member: Member, error: unknown): void {
    if (isOurs(error) || classify(error) === "permission") return;
    const { counters, log, ticker } = this.context;
    const { slot, address, port } = member;
    counters.add(slot, REFUSED);
    this.#silence.unreachable(member, ticker.now);
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

  /** The slots of those who have failed; empty as long as all is well. */
  #failed({ table }: Electorate): readonly number[] {
    const { ticker: { now } } = this.context;
    if (!this.#silence.some(now)) return NOTHING_TRIED;
    return table.members.filter((member) => this.#silence.failed(member, now))
      .map(({ slot }) => slot);
  }

  /** The backend that the client's other ports are with, if it takes sessions. */
  #usual(ip: string, { table }: Electorate, failed: readonly number[]): Member | undefined {
    const usual = this.#affinity.get(ip);
    if (usual === undefined || failed.includes(usual.slot)) return undefined;
    if (this.context.counters.flags(usual.slot) !== 0) return undefined;
    return table.members.find(({ slot, address, port }) =>
      slot === usual.slot && address === usual.address && port === usual.port
    );
  }
}

function chooserOf({ routing, pool }: ServerTable): ChoosePool {
  return compileRoutes(routing?.routes ?? [], pool);
}
