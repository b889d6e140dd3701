import type { Kind, KindWithKeys } from "../kinds.ts";
import type { Registry } from "../registry.ts";
import { quote } from "./issues.ts";
import type { KeyGroup } from "./legacy.ts";
import type { ReadOptions, Table } from "./read.ts";
import type { Path, Report } from "./report.ts";
import type { Section } from "./schema.ts";
import { oneOf } from "./suggest.ts";
import type { z } from "zod";

/** How a section with the keys of one kind is read. */
export type KindSection<T> = { readonly section: Section<T>; readonly options: ReadOptions };

/** Sections of all kinds of one sort: the common keys and the kind's own. Each is made once. */
export class KindSections<K extends KindWithKeys, T> {
  readonly #made = new Map<string, KindSection<T>>();

  /**
   * For the kinds of one registry.
   * @param groups Keys of gobetween's kinds of this sort, built or not.
   */
  constructor(
    readonly registry: Registry<K>,
    readonly common: Section<T>,
    readonly groups: Readonly<Record<string, KeyGroup>>,
  ) {}

  /** The section of no kind: keys of all kinds are warned of. */
  none(): KindSection<T> {
    return { section: this.common, options: { foreign: this.#foreignTo("") } };
  }

  /** The section of a kind that nobody knows: only the common keys are judged. */
  unknown(): KindSection<T> {
    const { kind: _kind, ...keys } = this.common.keys as Record<string, z.ZodType>;
    const section = { ...this.common, keys: keys as Section<T>["keys"] };
    return { section, options: { skipUnknown: true } };
  }

  /** The section of one kind. */
  of(kind: K): KindSection<T> {
    const made = this.#made.get(kind.name);
    if (made !== undefined) return made;
    const keys = { ...this.common.keys, ...kind.shape } as Section<T>["keys"];
    const section = { ...this.common, keys };
    const fresh = { section, options: { foreign: this.#foreignTo(kind.name) } };
    this.#made.set(kind.name, fresh);
    return fresh;
  }

  /** Keys of all other kinds, with the kind's name. */
  #foreignTo(own: string): ReadonlyMap<string, string> {
    const foreign = new Map<string, string>();
    const add = (name: string, keys: readonly string[]) => {
      if (name === own) return;
      for (const key of keys) if (!foreign.has(key)) foreign.set(key, `"${name}"`);
    };
    for (const other of this.registry.all()) add(other.name, Object.keys(other.shape));
    for (const [name, group] of Object.entries(this.groups)) add(name, Object.keys(group));
    return foreign;
  }
}

/**
 * The kind that a name chooses. Reports a name that chooses none, and says of a kind that is planned that it isn't
 * available yet. @param known Names of gobetween's kinds, built or not.
 */
export function chooseKind<K extends Kind>(
  name: unknown,
  registry: Registry<K>,
  known: readonly string[],
  path: Path,
  report: Report,
  extra: readonly string[] = [],
): K | undefined {
  const possible = [...registry.names(), ...extra];
  if (name === undefined) report.error(path, `is missing\nOne of ${possible.join(", ")}`);
  else if (typeof name !== "string") report.error(path, `${quote(name)} is not a string`);
  else {
    const kind = registry.find(name);
    if (kind !== undefined) return kind;
    if (registry.planned.includes(name) || known.includes(name)) {
      report.error(path, `"${name}" is not available yet\nOne of ${possible.join(", ")}`);
    } else {
      const text = `${quote(name)} is not a ${registry.sort}`;
      report.error(path, `${text}\n${oneOf(name, possible, registry.planned)}`);
    }
  }
  return undefined;
}

/** The value of a key whatever its case; null counts as absent. */
export function valueOf(table: Table, key: string): unknown {
  const exact = Object.hasOwn(table, key) ? table[key] : undefined;
  if (exact !== undefined) return exact ?? undefined;
  const written = Object.keys(table).find((other) => other.toLowerCase() === key);
  return written === undefined ? undefined : table[written] ?? undefined;
}
