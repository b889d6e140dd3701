import type { z } from "zod";
import { quote, wordsFor } from "./issues.ts";
import { blankMeansAbsent, ignoredDefaults, ignoredKeys } from "./legacy.ts";
import type { Path, Report } from "./report.ts";
import type { Section } from "./schema.ts";
import { suggest } from "./suggest.ts";
import { type Unavailable, unavailable } from "./unavailable.ts";

/** A table of the text, as its parser gave it. */
export type Table = { readonly [key: string]: unknown };

/** One section, judged. */
export type Read<T> = {
  /** The keys that were given, by their canonical names and with their values as written. */
  readonly given: Table;
  /** What the schemas made of them, defaults included. Keys that failed are missing. */
  readonly values: { readonly [K in keyof T]?: T[K] | undefined };
};

/** Is this a table, and not a list, a date or nothing? */
export function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof Date);
}

/** What {@link readSection} needs to know beside the section. */
export type ReadOptions = {
  /** Keys of other kinds, with whose they are: warned of, not refused. */
  readonly foreign?: ReadonlyMap<string, string>;
  /** Leaves unknown keys alone, where nobody can tell which would be known. */
  readonly skipUnknown?: boolean;
};

/**
 * Reads one section: finds its keys in any case, reports those that it doesn't know or that aren't available yet, and
 * judges the values. Inner sections stay in `given` for whoever knows them. Undefined when it is no section at all.
 */
export function readSection<T>(
  raw: unknown,
  section: Section<T>,
  path: Path,
  report: Report,
  options: ReadOptions = {},
): Read<T> | undefined {
  if (!isTable(raw)) {
    const hint = path.length === 0
      ? "the whole file is one"
      : `write [${path.join(".")}] and the keys below it`;
    report.error(path, `${quote(raw)} is not a section\n${hint}`);
    return undefined;
  }
  const given = canonicalKeys(raw, section, path, report, options);
  refuseUnavailable(given, section.at, path, report);
  return { given, values: judge(given, section, path, report) };
}

function canonicalKeys<T>(
  raw: Table,
  section: Section<T>,
  path: Path,
  report: Report,
  options: ReadOptions,
): Record<string, unknown> {
  const given: Record<string, unknown> = {};
  for (const [written, value] of Object.entries(raw)) {
    const key = written.toLowerCase();
    if (!Object.hasOwn(section.keys, key) && !section.sections.includes(key)) {
      reportStranger(written, section, path, report, options);
    } else if (Object.hasOwn(given, key)) {
      report.error([...path, key], `"${written}" is given twice\nkey names match in any case`);
    } else if (value !== null && !(value === "" && blankMeansAbsent.has(key))) {
      given[key] = value;
    }
  }
  return given;
}

function reportStranger<T>(
  written: string,
  section: Section<T>,
  path: Path,
  report: Report,
  options: ReadOptions,
): void {
  const key = written.toLowerCase();
  const place = [...path, written];
  const ignored = section.at === "defaults" && Object.hasOwn(ignoredDefaults, key)
    ? ignoredDefaults[key]
    : Object.hasOwn(ignoredKeys, key)
    ? ignoredKeys[key]
    : undefined;
  if (ignored !== undefined) return report.warn(place, `has no effect\n${ignored || "remove it"}`);
  const owner = options.foreign?.get(key);
  if (owner !== undefined) return report.warn(place, `has no effect here, it belongs to ${owner}`);
  if (options.skipUnknown) return;
  const known = [...Object.keys(section.keys), ...section.sections];
  const close = suggest(key, known);
  const refused = (refusals.get(section.at) ?? []).filter(({ value }) => value === undefined)
    .map(({ at }) => at.slice(at.lastIndexOf(".") + 1));
  const offered = known.filter((name) => !refused.includes(name));
  const hint = close === undefined ? `One of ${offered.join(", ")}` : `did you mean "${close}"?`;
  report.unknown(place, `is not a key of this section\n${hint}`);
}

const refusals: ReadonlyMap<string, readonly Unavailable[]> = Map.groupBy(
  unavailable,
  ({ at }) => at.slice(0, Math.max(0, at.lastIndexOf("."))),
);

/** Reports what isn't built yet and takes it out, so that nothing else is said about it. */
function refuseUnavailable(
  given: Record<string, unknown>,
  at: string,
  path: Path,
  report: Report,
): void {
  for (const entry of refusals.get(at) ?? []) {
    const key = entry.at.slice(entry.at.lastIndexOf(".") + 1);
    const value = given[key];
    if (value === undefined || (entry.value !== undefined && value !== entry.value)) continue;
    const shown = typeof entry.value === "string" ? `"${entry.value}" ` : "";
    const hint = entry.hint ?? "remove it to run without; it is never ignored";
    report.error([...path, key], `${shown}is not available yet\n${hint}`);
    for (const gone of [key, ...entry.covers ?? []]) delete given[gone];
  }
}

function judge<T>(
  given: Table,
  section: Section<T>,
  path: Path,
  report: Report,
): Read<T>["values"] {
  const values: Record<string, unknown> = {};
  const schemas: Record<string, z.ZodType> = section.keys;
  for (const key in schemas) {
    const result = schemas[key]!.safeParse(given[key], { error: wordsFor(key), jitless: true });
    if (result.success) values[key] = result.data;
    else {
      for (const issue of result.error.issues) {
        report.error([...path, key, ...issue.path as Path], issue.message);
      }
    }
  }
  return values as Read<T>["values"];
}
