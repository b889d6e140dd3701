import { Electorate } from "../lib/election.ts";
import { ElectorateByName, type Patterns } from "../lib/election_by_name.ts";
import type { StrategyKind } from "../lib/kinds.ts";
import type { Member, PoolTable } from "../lib/model.ts";
import type { SniSpec } from "../lib/routing_spec.ts";
import type { Registry } from "../lib/registry.ts";
import type { Counters } from "../lib/stats/counters.ts";
import type { WorkerLog } from "./context.ts";

/** Gives the electorate of a session as it is now; undefined: nobody may serve it. */
export type Election = () => Electorate | undefined;

/** A pool in use. What servers with `sni` need is made when the first client comes. */
type Entry = {
  readonly electorate: Electorate;
  readonly byName: Map<SniSpec["matching"], ElectorateByName>;
  readonly patterns: Patterns;
};

/** The pools of a worker by name. A new table replaces the old between two elections. */
export class Pools {
  readonly #entries = new Map<string, Entry>();

  /** Knows no pool yet; `random` gives [0, 1). */
  constructor(
    readonly strategies: Registry<StrategyKind>,
    readonly counters: Counters,
    readonly random: () => number,
    readonly log: WorkerLog,
  ) {}

  /** Puts a table in use. */
  set(table: PoolTable): void {
    const before = this.#entries.get(table.name);
    this.#entries.set(table.name, {
      electorate: this.#build(table),
      byName: new Map(),
      patterns: before?.byName.get("regexp")?.patterns ?? before?.patterns ?? new Map(),
    });
  }

  /** Forgets a pool that no server leads to any more. */
  delete(name: string): void {
    this.#entries.delete(name);
  }

  /**
   * The pool of that name, which the control plane has sent before any server that leads to it. Undefined once it is
   * forgotten: a session may have been led to it a moment before.
   */
  get(name: string): Electorate | undefined {
    return this.#entries.get(name)?.electorate;
  }

  /** Who of a pool may serve clients that ask for a name; it may be empty. */
  byName(pool: string, { matching, unexpected }: SniSpec, name: string): Electorate | undefined {
    const entry = this.#entries.get(pool);
    if (entry === undefined) return undefined;
    const found = entry.byName.get(matching) ?? this.#byName(entry, matching);
    return found.elect(name, unexpected);
  }

  #byName(entry: Entry, matching: SniSpec["matching"]): ElectorateByName {
    const { electorate, byName, patterns } = entry;
    const { table } = electorate;
    const build = (members: readonly Member[]) => this.#build({ ...table, members });
    const made = new ElectorateByName(electorate, matching, build, patterns);
    byName.set(matching, made);
    for (const [source, why] of made.patterns) {
      if (typeof why !== "string" || patterns.has(source)) continue;
      this.log("warning", "backends are skipped: their sni is no pattern", {
        pool: table.name,
        why: why.replace("\n", "; "),
      });
    }
    return made;
  }

  #build(table: PoolTable): Electorate {
    const strategy = this.strategies.get(table.strategy);
    return new Electorate(table, strategy, this.counters, this.random);
  }
}
