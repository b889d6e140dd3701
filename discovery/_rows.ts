/** Lists of backends as text, taken apart: a row that can't be used is skipped with a reason. Pure. */
import { type BackendFields, backendOf } from "../lib/backend_fields.ts";
import { parseBackendLine } from "../lib/backend_line.ts";
import { DiscoveryError, messageOf, printable } from "../lib/errors.ts";
import { type JsonPath, valueAt } from "../lib/json_path.ts";
import type { Backend } from "../lib/model.ts";

/** Tells of a row that was skipped. */
export type Skip = (entry: string, why: string) => void;

/**
 * Backends of lines, each judged by `parse`, whose strings say what is wrong. Blank lines and comments (`#` at the
 * beginning, or behind a blank) don't count. @throws DiscoveryError
 */
export function rowsOf(
  text: string,
  skip: Skip,
  parse: (line: string) => Backend | string = parseBackendLine,
): Backend[] {
  const lines = text.replace(/^\ufeff/, "").split("\n")
    .map((line) => line.replace(/(^|\s)#.*/, ""))
    .filter((line) => line.trim() !== "");
  return usable(lines, parse, (line) => printable(shorten(line.trim())), skip);
}

/**
 * The rows that are backends; the others are skipped. Rows of which none is one are no list but something else (a page
 * that says sorry), which mustn't empty a pool. @throws DiscoveryError then.
 */
function usable<Row>(
  rows: readonly Row[],
  parse: (row: Row) => Backend | string,
  show: (row: Row, index: number) => string,
  skip: Skip,
): Backend[] {
  const found: Backend[] = [];
  let first = "";
  rows.forEach((row, index) => {
    const backend = parse(row);
    if (typeof backend !== "string") return void found.push(backend);
    const why = backend.split("\n", 1)[0]!;
    first ||= `${show(row, index)}: ${why}`;
    skip(show(row, index), why);
  });
  if (rows.length === 0 || found.length > 0) return found;
  throw new DiscoveryError(`none of ${rows.length} entries is a backend; the first is ${first}`);
}

/** A line of awe4lb's: `host port`, or `host port weight priority`. What is between three and four fields is ignored. */
export function parseTextLine(line: string): Backend | string {
  const [host, port, ...rest] = line.trim().split(/\s+/);
  if (port === undefined) return "it has no port";
  if (rest.length > 2) return "it has more than four fields";
  const [weight, priority] = rest.length === 2 ? rest : [];
  return backendOf({ host, port, weight, priority });
}

/** Where the facts of an element are. */
export type RowPaths = Readonly<Record<keyof BackendFields, JsonPath>>;

/** Names as gobetween has them, or, in an element with an `addr`, as awe4lb. */
export const USUAL_PATHS: RowPaths = {
  host: ["host"],
  port: ["port"],
  weight: ["weight"],
  priority: ["priority"],
  sni: ["sni"],
  maxConnections: ["max_connections"],
};

/** How JSON is read. */
export type JsonRows = {
  readonly paths: RowPaths;
  /** Where the array is; left out, it is the whole text, or under `hosts` as awe4lb has it. */
  readonly root?: JsonPath | undefined;
  /** Elements may have their host and port under `addr`, as awe4lb has them. */
  readonly nested: boolean;
};

/** Backends of an array in JSON. @throws DiscoveryError where there is no array, or no backend in one with elements. */
export function jsonRowsOf(text: string, { paths, root, nested }: JsonRows, skip: Skip): Backend[] {
  const whole = parse(text);
  const list = root === undefined
    ? Array.isArray(whole) || !nested ? whole : valueAt(whole, ["hosts"]) ?? whole
    : valueAt(whole, root);
  if (!Array.isArray(list)) {
    const where = root === undefined || root.length === 0 ? "" : " where json_root_path leads";
    throw new DiscoveryError(`the answer is ${nameOf(list)}${where}, not a list of backends`);
  }
  const read = (element: unknown) => fromElement(element, paths, nested);
  return usable(list, read, (_, index) => `[${index}]`, skip);
}

function fromElement(element: unknown, paths: RowPaths, nested: boolean): Backend | string {
  if (typeof element !== "object" || element === null) return "it is not an object";
  const addr = nested ? valueAt(element, ["addr"]) : undefined;
  const place = typeof addr === "object" && addr !== null ? addr : element;
  return backendOf({
    host: valueAt(place, paths.host),
    port: valueAt(place, paths.port),
    weight: valueAt(element, paths.weight),
    priority: valueAt(element, paths.priority),
    sni: valueAt(element, paths.sni),
    maxConnections: valueAt(element, paths.maxConnections),
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\ufeff/, ""));
  } catch (error) {
    throw new DiscoveryError(`the answer is not JSON: ${shorten(messageOf(error))}`);
  }
}

function nameOf(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  return value === null ? "null" : typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** The beginning of what somebody else says. */
function shorten(text: string): string {
  return text.length > 100 ? `${text.slice(0, 97)}…` : text;
}
