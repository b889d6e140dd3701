/** Texts for `nft -j -f -`, each one transaction: all of it is done, or nothing. Pure. */
import type { Json } from "./expressions.ts";
import type { Chain, Ruleset } from "./rules.ts";

const FAMILY = "inet";

/** Puts a table into the place of whatever has its name, whoever's that is. `mark` is its owner's. */
export function replacing(ruleset: Ruleset, mark: string): string {
  const table = { add: { table: { family: FAMILY, name: ruleset.table } } };
  return text([
    table, // so that there is one to delete
    { delete: { table: { family: FAMILY, name: ruleset.table } } },
    table,
    add("counter", ruleset.table, { name: mark }),
    ...contents(ruleset),
  ]);
}

/** Turns a table that has this mark from one ruleset into another; what stays goes on counting. It fails where the mark isn't there. */
export function changing(before: Ruleset, after: Ruleset, mark: string): string {
  const { table } = after;
  const chains = new Set(after.chains.map(({ name }) => name));
  const counters = new Set(after.counters);
  return text([
    ...checking(table, mark),
    { flush: { table: { family: FAMILY, name: table } } }, // the rules of all its chains
    ...contents(after),
    ...before.chains.filter(({ name }) => !chains.has(name))
      .map(({ name }) => remove("chain", table, name)),
    ...before.counters.filter((name) => !counters.has(name))
      .map((name) => remove("counter", table, name)),
  ]);
}

/** Removes a table that has this mark. It fails where the mark isn't there. */
export function removing(table: string, mark: string): string {
  return text([
    ...checking(table, mark),
    { delete: { table: { family: FAMILY, name: table } } },
  ]);
}

/** Fails where the mark isn't there. */
function checking(table: string, mark: string): Json[] {
  return [remove("counter", table, mark), add("counter", table, { name: mark })];
}

function contents({ table, counters, chains }: Ruleset): Json[] {
  return [
    ...counters.map((name) => add("counter", table, { name })),
    ...chains.map(({ name, hook }) => add("chain", table, { name, ...based(hook) })),
    ...chains.flatMap(({ name, rules }) =>
      rules.map((expr) => add("rule", table, { chain: name, expr }))
    ),
  ];
}

function based(hook: Chain["hook"]): Readonly<Record<string, Json>> {
  return hook === undefined ? {} : { ...hook, policy: "accept" };
}

function add(what: string, table: string, more: Readonly<Record<string, Json>>): Json {
  return { add: { [what]: { family: FAMILY, table, ...more } } };
}

function remove(what: string, table: string, name: string): Json {
  return { delete: { [what]: { family: FAMILY, table, name } } };
}

function text(commands: readonly Json[]): string {
  return JSON.stringify({ nftables: commands });
}
