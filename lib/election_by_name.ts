import type { Electorate } from "./election.ts";
import type { Member } from "./model.ts";
import type { SniSpec } from "./routing_spec.ts";
import { Lru } from "./lru.ts";
import { compilePattern, type Pattern } from "./pattern.ts";

/** Names, and sets of patterns, whose electorates are kept: clients may ask for anything. */
const KEPT = 1_000;

/** Compiled patterns by their text; a string says what is wrong with one. */
export type Patterns = ReadonlyMap<string, Pattern | string>;

/** Finds the members whose `sni` a name matches; undefined: there are none. */
type Finder = (name: string) => Electorate | undefined;

/**
 * A pool's table, ready to elect from by the name that a client asks for. Strategy, priorities and limits hold within
 * those that match. Made for one table, and replaced with it.
 */
export class ElectorateByName {
  /** Its patterns, which the next table may have as well. */
  readonly patterns: Patterns;
  readonly #find: Finder;
  readonly #nameless: Electorate | undefined;

  /**
   * Groups the members by their `sni`; electorates are built when the first client asks for them.
   *
   * @param all The whole table.
   * @param build Makes the electorate of some of its members.
   * @param known Patterns that needn't be compiled again.
   */
  constructor(
    readonly all: Electorate,
    matching: SniSpec["matching"],
    build: (members: readonly Member[]) => Electorate,
    known: Patterns = new Map(),
  ) {
    const groups = Map.groupBy(all.table.members, ({ sni }) => nameOf(sni, matching));
    this.patterns = matching === "regexp" ? compileAll(groups.keys(), known) : new Map();
    this.#find = matching === "regexp"
      ? byPattern(this.patterns, all.table.members, build)
      : byKey(groups, build, matching === "wildcard");
    this.#nameless = this.#find("");
  }

  /**
   * Who may serve a client that asks for this name, in lower case and without a dot at its end; empty for one that asks
   * for none. Backends that match count only while one of them is live. Undefined: nobody is meant to.
   */
  elect(name: string, unexpected: SniSpec["unexpected"]): Electorate | undefined {
    const { all } = this;
    if (all.table.members.length === 0) return all;
    const matching = name === "" ? this.#nameless : this.#find(name);
    if (matching?.live) return matching;
    const others = unexpected === "any"
      ? all
      : unexpected === "default" && name !== ""
      ? this.#nameless
      : undefined;
    return others ?? matching;
  }
}

/** Names are compared in lower case and without a dot at their end; patterns as they are. */
function nameOf(sni: string, matching: SniSpec["matching"]): string {
  return matching === "regexp" ? sni : sni.toLowerCase().replace(/\.$/, "");
}

type Groups = ReadonlyMap<string, readonly Member[]>;
type Build = (members: readonly Member[]) => Electorate;

/** Of several wildcards the longest counts, and a name itself before any. */
function byKey(groups: Groups, build: Build, wildcards: boolean): Finder {
  const built = new Map<string, Electorate>();
  const take = (key: string): Electorate | undefined => {
    const members = groups.get(key);
    if (members === undefined) return undefined;
    const electorate = built.get(key) ?? build(members);
    built.set(key, electorate);
    return electorate;
  };
  if (!wildcards) return take;
  return (name) => {
    let found = take(name);
    for (let dot = name.indexOf("."); dot > 0 && found === undefined;) {
      found = take(`*${name.slice(dot)}`);
      dot = name.indexOf(".", dot + 1);
    }
    return found ?? (name === "" ? undefined : take("*"));
  };
}

/** A backend without a pattern is for clients without a name. */
function byPattern(patterns: Patterns, members: readonly Member[], build: Build): Finder {
  const compiled = [...patterns].filter((each): each is [string, Pattern] =>
    typeof each[1] !== "string"
  );
  const bySet = new Lru<string, Electorate | "none">(KEPT);
  const byName = new Lru<string, Electorate | "none">(KEPT);
  const look = (name: string): Electorate | "none" => {
    const hits = new Set(name === "" ? [""] : []);
    for (const [source, pattern] of compiled) if (pattern.test(name)) hits.add(source);
    const key = JSON.stringify([...hits]);
    const known = bySet.get(key);
    if (known !== undefined) return known;
    const matching = members.filter(({ sni }) => hits.has(sni));
    const electorate = matching.length === 0 ? "none" : build(matching);
    bySet.set(key, electorate);
    return electorate;
  };
  return (name) => {
    const found = byName.get(name) ?? look(name);
    byName.set(name, found);
    return found === "none" ? undefined : found;
  };
}

function compileAll(sources: Iterable<string>, known: Patterns): Patterns {
  const compiled = new Map<string, Pattern | string>();
  for (const source of sources) {
    if (source !== "") compiled.set(source, known.get(source) ?? compilePattern(source));
  }
  return compiled;
}
