/** Configurations in several files: what an included one may hold, and the whole that they make. Pure. */
import { ConfigError, type Problem } from "../errors.ts";
import { type ConfigText, parseText } from "./parse.ts";
import { placed } from "./positions.ts";
import { isTable, type Table } from "./read.ts";
import { type Path, Report } from "./report.ts";
import { top } from "./schema.ts";

/** What an included file may hold. */
const SECTIONS = ["servers", "pools"];

/** The patterns of a text's `include`; undefined where it has none, or can't be read: the loader tells of that. */
export function includePatterns({ text, file, format }: ConfigText): string[] | undefined {
  if (!/include/i.test(text)) return undefined;
  let tree: unknown;
  try {
    tree = parseText(text, file, format);
  } catch {
    return undefined; // ConfigError
  }
  const patterns = isTable(tree) ? tree[keyOf(tree, "include")] : undefined;
  if (!Array.isArray(patterns)) return undefined;
  return patterns.filter((pattern) => typeof pattern === "string" && pattern !== "");
}

/** Does a name match a pattern, where `*` is any run of characters and `?` any one? Linear in both. */
export function matches(pattern: string, name: string): boolean {
  let p = 0;
  let n = 0;
  let star = -1; // where to go on when the last `*` must take one character more
  let taken = 0;
  while (n < name.length) {
    if (pattern[p] === "*") {
      star = p++;
      taken = n;
    } else if (p < pattern.length && (pattern[p] === "?" || pattern[p] === name[n])) {
      p++;
      n++;
    } else if (star >= 0) {
      p = star + 1;
      n = ++taken;
    } else return false;
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}

/** The main text's tree with the sections of the included ones in it. */
export type Merged = {
  readonly tree: unknown;
  /** The text that holds what stands at this path, where it isn't the main one. */
  origin(path: Path): ConfigText | undefined;
  /** What is wrong with the included texts as such, each with its place. */
  readonly errors: readonly Problem[];
  readonly warnings: readonly Problem[];
};

/**
 * Lays the sections of included texts beside those of the main one.
 * @throws ConfigError where one of them can't be parsed.
 */
export function merge(
  main: unknown,
  mainFile: string,
  included: readonly ConfigText[],
  lenient: boolean,
): Merged {
  const trees = parseAll(included);
  if (!isTable(main)) return { tree: main, origin: () => undefined, errors: [], warnings: [] };
  const whole = new Map(SECTIONS.map((section) => [section, new Names(main, section, mainFile)]));
  const errors: Problem[] = [];
  const warnings: Problem[] = [];
  for (const [text, tree] of trees) {
    const report = new Report(lenient);
    take(tree, text, whole, mainFile, report);
    errors.push(...placed(report.errors, text));
    warnings.push(...placed(report.warnings, text));
  }
  return {
    tree: { ...main, ...Object.fromEntries([...whole.values()].flatMap((names) => names.entry())) },
    origin: ([section, name]) => whole.get(String(section).toLowerCase())?.origin(String(name)),
    errors,
    warnings,
  };
}

function parseAll(included: readonly ConfigText[]): [ConfigText, unknown][] {
  const problems: Problem[] = [];
  const trees = included.map((each): [ConfigText, unknown] => {
    try {
      return [each, parseText(each.text, each.file, each.format)];
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      problems.push(...error.problems);
      return [each, {}];
    }
  });
  if (problems.length > 0) throw new ConfigError(problems);
  return trees;
}

/** Takes over what one included text holds, and reports what it shouldn't hold. */
function take(
  tree: unknown,
  text: ConfigText,
  whole: ReadonlyMap<string, Names>,
  mainFile: string,
  report: Report,
): void {
  const holds = `an included file holds [servers.NAME] and [pools.NAME]`;
  if (!isTable(tree)) return report.error([], `is not a section\n${holds}`);
  for (const [key, value] of Object.entries(tree)) {
    const names = whole.get(key.toLowerCase());
    if (names !== undefined && isTable(value)) names.add(key, value, text, report);
    else if (names !== undefined) report.error([key], `is not a section\n${holds}`);
    else if (key.toLowerCase() === "include") {
      report.error([key], `an included file can't include others\nname them in ${mainFile}`);
    } else if (Object.hasOwn(top.keys, key.toLowerCase()) || isSection(key)) {
      report.error([key], `belongs in ${mainFile}\n${holds}, nothing else`);
    } else report.unknown([key], `is not a key of an included file\n${holds}, nothing else`);
  }
}

function isSection(key: string): boolean {
  return top.sections.includes(key.toLowerCase());
}

/** The names of one section over all files. */
class Names {
  readonly #key: string;
  readonly #written: unknown;
  readonly #members: Map<string, unknown>;
  readonly #origins = new Map<string, ConfigText>();

  constructor(main: Table, readonly section: string, readonly mainFile: string) {
    this.#key = keyOf(main, section);
    this.#written = main[this.#key];
    this.#members = new Map(isTable(this.#written) ? Object.entries(this.#written) : []);
  }

  add(key: string, table: Table, text: ConfigText, report: Report): void {
    for (const [name, value] of Object.entries(table)) {
      if (this.#members.has(name)) {
        const first = this.#origins.get(name)?.file ?? this.mainFile;
        report.error([key, name], `is in ${first}, too\ngive one of the two another name`);
      } else {
        this.#members.set(name, value);
        this.#origins.set(name, text);
      }
    }
  }

  origin(name: string): ConfigText | undefined {
    return this.#origins.get(name);
  }

  /** The section as the whole has it; what the main text has wrong is left for the loader to refuse. */
  entry(): [string, unknown][] {
    const usable = this.#written === undefined || isTable(this.#written);
    return !usable || this.#origins.size === 0
      ? []
      : [[this.#key, Object.fromEntries(this.#members)]];
  }
}

/** A key in the spelling that a table has it in; key names match in any case. */
function keyOf(table: Table, key: string): string {
  return Object.keys(table).find((written) => written.toLowerCase() === key) ?? key;
}
