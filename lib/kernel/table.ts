import { canonicalIp, unmap } from "../address.ts";
import type { Nft } from "../host/nft.ts";
import type { Member, PoolTable, ServerTable } from "../model.ts";
import type { Counters } from "../stats/counters.ts";
import { DENIED, DOWN, EJECTED, NO_BACKEND, REFUSED, RX, TOTAL, TX } from "../stats/layout.ts";
import { type Count, countedSince } from "./listing.ts";
import { backendName, DENIED_COUNTER, NO_BACKEND_COUNTER, tableName } from "./names.ts";
import { type Facts, type Ruleset, rulesetOf } from "./rules.ts";
import { changing, removing, replacing } from "./transaction.ts";

/** What the table of one server works with. */
export type KernelTableOptions = {
  readonly nft: Nft;
  readonly counters: Counters;
  /** The mark of this process. */
  readonly mark: string;
};

/** Backends whose connections may have to be ended, now that the rules lead nobody to them any more. */
export type Changed = {
  /** They aren't in the pool any more. */
  readonly left: readonly Member[];
  /** Their checks, or what was seen of them, say that they don't work. */
  readonly failed: readonly Member[];
};

/** One server's table in the kernel: written, changed when what it is made of has changed, read, removed. */
export class KernelTable {
  /** What it is called in the kernel. */
  readonly name: string;
  #pool: PoolTable | undefined;
  #serving = true;
  #applied: { readonly ruleset: Ruleset; readonly text: string; readonly facts: Facts } | undefined;
  /** What the rules in the kernel were made of, for a quick look. */
  #seen: readonly unknown[] = [];
  #last = new Map<string, Count>();
  #down = new Set<string>();
  /** A change has failed: what is in the kernel may be something else than we believe. */
  #doubtful = false;
  /** Its server has gone, and its slots may be others'. */
  retired = false;
  /** It was written into the place of the running process's that is taken over from. */
  inherited = false;
  /** Whose the table is now: this server's, another server's of ours, another process's. */
  holder: "own" | "server" | "process" = "own";

  /** Writes nothing yet. */
  constructor(public server: ServerTable, readonly options: KernelTableOptions) {
    this.name = tableName(server);
  }

  /** The backends from the next {@link sync} on; undefined: there are none. */
  set pool(pool: PoolTable | undefined) {
    this.#pool = pool;
  }

  /** It isn't this server's to change any more. */
  get lost(): boolean {
    return this.holder !== "own";
  }

  /** It takes new sessions, for all that we want. */
  get serving(): boolean {
    return this.#serving;
  }

  /** Takes no new sessions from the next {@link sync} on. */
  withdraw(): void {
    this.#serving = false;
  }

  /** Is the kernel's table made of what holds now? */
  get upToDate(): boolean {
    const now = this.#look();
    return this.lost ||
      now.length === this.#seen.length && now.every((each, index) => each === this.#seen[index]);
  }

  /** Will the next {@link sync} remove counters? They are to be read first, else what they have counted is lost. */
  get forgets(): boolean {
    const names = new Set(membersOf(this.#pool).map(backendName));
    return membersOf(this.#applied?.facts).some((member) => !names.has(backendName(member)));
  }

  /** Writes the table anew, into the place of whatever has its name. @throws NftError */
  async take(): Promise<void> {
    const looked = this.#look();
    const facts = this.#facts();
    const ruleset = rulesetOf(facts);
    await this.options.nft.apply(replacing(ruleset, this.options.mark));
    this.holder = "own";
    this.#doubtful = false;
    this.#last.clear();
    this.#done(ruleset, facts, looked);
  }

  /** Brings the kernel's table in line with what holds now. Says whose connections are concerned. @throws NftError */
  async sync(): Promise<Changed> {
    const before = this.#applied;
    if (this.upToDate || before === undefined) return { left: [], failed: [] };
    const looked = this.#look();
    const facts = this.#facts();
    const ruleset = rulesetOf(facts);
    if (JSON.stringify(ruleset) !== before.text || this.#doubtful) {
      await this.#change(before.ruleset, ruleset);
    }
    const changed = this.#changed(before.facts.members, facts.members);
    this.#done(ruleset, facts, looked);
    return changed;
  }

  async #change(before: Ruleset, after: Ruleset): Promise<void> {
    const { nft, mark } = this.options;
    const anew = this.#doubtful;
    this.#doubtful = true;
    await nft.apply(anew ? replacing(after, mark) : changing(before, after, mark));
    this.#doubtful = false;
    if (anew) this.#last.clear();
  }

  /** Removes it, if it is ours. @throws NftError where it isn't any more. */
  async remove(): Promise<void> {
    if (this.lost || this.#applied === undefined) return;
    await this.options.nft.apply(removing(this.name, this.options.mark));
    this.#applied = undefined;
    this.#seen = this.#look();
  }

  /** Adds what the kernel has counted since to the counters that everybody reads. */
  count(counts: ReadonlyMap<string, Count>): void {
    if (this.retired) return;
    const { counters } = this.options;
    const { slot } = this.server;
    const refusals = [[DENIED_COUNTER, DENIED], [NO_BACKEND_COUNTER, NO_BACKEND]] as const;
    for (const [name, cell] of refusals) {
      const { packets } = this.#since(counts, name);
      counters.add(slot, cell, packets);
      counters.add(slot, REFUSED, packets);
    }
    for (const member of membersOf(this.#applied?.facts)) {
      const name = backendName(member);
      const amounts = [
        [TOTAL, this.#since(counts, `sessions_${name}`).packets],
        [TX, this.#since(counts, `tx_${name}`).bytes],
        [RX, this.#since(counts, `rx_${name}`).bytes],
      ] as const;
      for (const [cell, amount] of amounts) {
        counters.add(slot, cell, amount);
        counters.add(member.slot, cell, amount);
      }
    }
  }

  /** The backends that the kernel knows now. */
  get members(): readonly Member[] {
    return membersOf(this.#applied?.facts);
  }

  #since(counts: ReadonlyMap<string, Count>, name: string): Count {
    const now = counts.get(name) ?? { packets: 0, bytes: 0 };
    const since = countedSince(this.#last.get(name), now);
    this.#last.set(name, now);
    return since;
  }

  /** The backends of before that have left, and those that have failed since. */
  #changed(before: readonly Member[], now: readonly Member[]): Changed {
    const names = new Set(now.map(backendName));
    const left = before.filter((member) => !names.has(backendName(member)));
    const failed = now.filter((member) =>
      this.#hasFailed(member) && !this.#down.has(backendName(member))
    );
    return { left, failed };
  }

  #hasFailed({ slot }: Member): boolean {
    return (this.options.counters.flags(slot) & (DOWN | EJECTED)) !== 0;
  }

  #done(ruleset: Ruleset, facts: Facts, looked: readonly unknown[]): void {
    this.#applied = { ruleset, facts, text: JSON.stringify(ruleset) };
    this.#seen = looked;
    this.#down = new Set(
      facts.members.filter((member) => this.#hasFailed(member)).map(backendName),
    );
    const names = new Set(ruleset.counters);
    for (const name of this.#last.keys()) if (!names.has(name)) this.#last.delete(name);
  }

  #look(): unknown[] {
    const flags = (this.#pool?.members ?? []).map(({ slot }) => this.options.counters.flags(slot));
    return [this.server, this.#pool, this.#serving, ...flags];
  }

  #facts(): Facts {
    return {
      server: this.server,
      strategy: this.#pool?.strategy ?? "weight",
      members: membersOf(this.#pool),
      usable: ({ slot }) => this.options.counters.flags(slot) === 0,
      serving: this.#serving,
    };
  }
}

/**
 * Those that the kernel can be told of, each place once: two names of one address are one backend for it, and an address
 * with a zone (`fe80::1%eth0`) is nothing that a rule could lead to.
 */
function membersOf(pool: Pick<PoolTable, "members"> | undefined): Member[] {
  const places = new Map<string, Member>();
  for (const member of pool?.members ?? []) {
    if (member.address.includes("%")) continue;
    const plain = { ...member, address: canonicalIp(unmap(member.address)) };
    const name = backendName(plain);
    if (!places.has(name)) places.set(name, plain);
  }
  return [...places.values()];
}
