/** Where keys stand in a text. Slow beside the loader itself, so it is asked only when there is something to report. */
import { type Node, parseTree } from "jsonc-parser";
import { type AST, parseTOML } from "toml-eslint-parser";
import type { Problem } from "../errors.ts";
import { type ConfigText, type Format, lineAndColumn } from "./parse.ts";
import type { Path } from "./report.ts";

/** A place in a text, both from 1. */
export type Place = { readonly line: number; readonly column: number };

/** By path. JSON gives offsets, which are turned into lines only for those that are asked for. */
type Places = Map<string, Place | number>;

/**
 * The same problems in the order of the text: each with the file's name, and the place of its key or of the closest
 * section that exists.
 */
export function placed(problems: readonly Problem[], from: ConfigText): Problem[] {
  if (problems.length === 0) return [];
  const find = locator(from.text, from.format);
  return problems.map((problem) => ({ ...problem, file: from.file, ...find(problem.path) }))
    .sort((a: Problem, b: Problem) => (a.line ?? 0) - (b.line ?? 0));
}

/** Finds the place of a key path; of its closest ancestor when it isn't there; undefined for the whole text. */
export function locator(text: string, format: Format): (path: Path) => Place | undefined {
  const places: Places = new Map();
  const plain = text.startsWith("\ufeff") ? text.slice(1) : text;
  try {
    if (format === "toml") tomlPlaces(plain, places);
    else jsonPlaces(plain, places);
  } catch { /* a text that only one of the two parsers takes: no places then */ }
  const anyCase: Places = new Map();
  for (const [id, place] of places) {
    const lower = id.toLowerCase();
    if (!anyCase.has(lower)) anyCase.set(lower, place);
  }
  return (path) => {
    for (let length = path.length; length > 0; length--) {
      const id = idOf(path.slice(0, length));
      const place = places.get(id) ?? anyCase.get(id.toLowerCase());
      if (place !== undefined) {
        return typeof place === "number" ? lineAndColumn(plain, place) : place;
      }
    }
    return undefined;
  };
}

function idOf(path: Path): string {
  return path.join("\0");
}

function note(places: Places, path: Path, node: AST.TOMLNode): void {
  const { line, column } = node.loc.start;
  if (!places.has(idOf(path))) places.set(idOf(path), { line, column: column + 1 });
}

function tomlPlaces(text: string, places: Places): void {
  for (const entry of parseTOML(text, { tomlVersion: "1.0" }).body[0].body) {
    if (entry.type === "TOMLKeyValue") tomlEntry(entry, [], places);
    else {
      // `[servers.web.discovery]` also introduces `servers` and `servers.web`, unless they stand somewhere already.
      entry.resolvedKey.forEach((_, i, key) => note(places, key.slice(0, i + 1), entry));
      for (const inner of entry.body) tomlEntry(inner, entry.resolvedKey, places);
    }
  }
}

function tomlEntry(entry: AST.TOMLKeyValue, path: Path, places: Places): void {
  const key = entry.key.keys.map((part) => part.type === "TOMLBare" ? part.name : part.value);
  key.forEach((_, i) => note(places, [...path, ...key.slice(0, i + 1)], entry));
  tomlValue(entry.value, [...path, ...key], places);
}

function tomlValue(value: AST.TOMLContentNode, path: Path, places: Places): void {
  if (value.type === "TOMLInlineTable") {
    for (const inner of value.body) tomlEntry(inner, path, places);
  } else if (value.type === "TOMLArray") {
    value.elements.forEach((element, i) => {
      note(places, [...path, i], element);
      tomlValue(element, [...path, i], places);
    });
  }
}

function jsonPlaces(text: string, places: Places): void {
  const root = parseTree(text);
  if (root !== undefined) jsonValue(root, [], places);
}

function jsonValue(node: Node, path: Path, places: Places): void {
  node.children?.forEach((child, i) => {
    const [key, value] = node.type === "array" ? [undefined, child] : child.children ?? [];
    if (value === undefined) return;
    const inner = [...path, key === undefined ? i : String(key.value)];
    places.set(idOf(inner), (key ?? child).offset);
    jsonValue(value, inner, places);
  });
}
