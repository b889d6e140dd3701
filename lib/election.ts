import type { Candidates, Picker, StrategyKind } from "./kinds.ts";
import type { Member, PoolTable } from "./model.ts";
import type { Counters } from "./stats/counters.ts";

/** Slots of the backends that a session has already failed on. */
export type Tried = readonly number[];
/** Nothing tried yet. */
export const NOTHING_TRIED: Tried = [];

/** After so many picks that were taken by others meanwhile, one scan decides. */
const PICKS = 4;

/** Members that are served before others: those of one priority, weightless ones after the rest. */
class Tier implements Candidates {
  tried: Tried = NOTHING_TRIED;
  readonly #picker: Picker;

  constructor(
    readonly members: readonly Member[],
    readonly counters: Counters,
    readonly poolSlot: number,
    strategy: StrategyKind,
    random: () => number,
  ) {
    this.#picker = strategy.build(members, random);
  }

  usable(index: number): boolean {
    const member = this.members[index]!;
    const { slot, maxConnections } = member;
    return this.counters.flags(slot) === 0 &&
      (maxConnections === 0 || this.counters.active(slot) < maxConnections) &&
      (this.tried.length === 0 || !this.tried.includes(slot));
  }

  active(index: number): number {
    return this.counters.active(this.members[index]!.slot);
  }

  rate(index: number): number {
    return this.counters.rate(this.members[index]!.slot);
  }

  activeThen(index: number): number {
    return this.counters.activeThen(this.members[index]!.slot);
  }

  turn(): number {
    return this.counters.turn(this.poolSlot);
  }

  lease(key: number): Member | undefined {
    for (let pick = 0; pick < PICKS; pick++) {
      const index = this.#picker.pick(this, key);
      if (index < 0) return undefined;
      const member = this.members[index]!;
      if (this.counters.take(member.slot, member.maxConnections)) return member;
    }
    return this.members.find((member, index) =>
      this.usable(index) && this.counters.take(member.slot, member.maxConnections)
    );
  }
}

/** Groups members by priority, lowest first; within one, weight 0 comes after all that have weight. */
export function tiersOf(members: readonly Member[]): Member[][] {
  const tiers = new Map<string, Member[]>();
  const rank = (member: Member) => member.priority * 2 + (member.weight === 0 ? 1 : 0);
  for (const member of [...members].sort((a, b) => rank(a) - rank(b))) {
    const rankText = String(rank(member));
    const tier = tiers.get(rankText);
    if (tier === undefined) tiers.set(rankText, [member]);
    else tier.push(member);
  }
  return [...tiers.values()];
}

/** A pool's table, ready to elect from. Replaced whole when the table changes. */
export class Electorate {
  readonly #tiers: readonly Tier[];
  /** True where {@link lease} looks at the client's key. */
  readonly keyed: boolean;

  /** Builds the pickers; `random` gives [0, 1). */
  constructor(
    readonly table: PoolTable,
    strategy: StrategyKind,
    readonly counters: Counters,
    random: () => number,
  ) {
    this.keyed = strategy.keyed === true;
    this.#tiers = tiersOf(table.members).map((members) =>
      new Tier(members, counters, table.slot, strategy, random)
    );
  }

  /** Does one of them take new sessions, its limit aside? */
  get live(): boolean {
    return this.table.members.some(({ slot }) => this.counters.flags(slot) === 0);
  }

  /**
   * Picks a backend and counts the session on it in one step, with no `await` between, so that a burst
   * can't all choose the same idle backend. The caller releases the member's slot when the session ends.
   * Undefined: nobody is usable.
   *
   * @param key Identifies the client (`clientKey`) where the strategy is {@link keyed}; else any number.
   * @param tried Members that this session has already failed on.
   */
  lease(key: number, tried: Tried): Member | undefined {
    for (const tier of this.#tiers) {
      tier.tried = tried;
      const member = tier.lease(key);
      tier.tried = NOTHING_TRIED;
      if (member !== undefined) return member;
    }
    return undefined;
  }
}
