import { Electorate } from "../lib/election.ts";
import type { StrategyKind } from "../lib/kinds.ts";
import type { PoolTable } from "../lib/model.ts";
import type { Registry } from "../lib/registry.ts";
import type { Counters } from "../lib/stats/counters.ts";

/** Gives the electorate of a server's pool as it is now. */
export type Election = () => Electorate;

/** The pools of a worker by name. A new table replaces the old between two elections. */
export class Pools {
  readonly #electorates = new Map<string, Electorate>();

  /** Knows no pool yet; `random` gives [0, 1). */
  constructor(
    readonly strategies: Registry<StrategyKind>,
    readonly counters: Counters,
    readonly random: () => number,
  ) {}

  /** Puts a table in use. */
  set(table: PoolTable): void {
    const strategy = this.strategies.get(table.strategy);
    this.#electorates.set(
      table.name,
      new Electorate(table, strategy, this.counters, this.random),
    );
  }

  /** Forgets a pool that no server leads to any more. */
  delete(name: string): void {
    this.#electorates.delete(name);
  }

  /** The pool of that name, which the control plane has sent before any server that leads to it. */
  get(name: string): Electorate {
    const electorate = this.#electorates.get(name);
    if (electorate === undefined) throw new Error(`no table of pool "${name}" has arrived`);
    return electorate;
  }
}
