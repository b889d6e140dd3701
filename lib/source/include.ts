/** Finds and reads the files that a configuration file includes. */
import { includePatterns, matches } from "../config/include.ts";
import type { ConfigText } from "../config/parse.ts";
import { placed } from "../config/positions.ts";
import { conceal } from "../config/variables.ts";
import { ConfigError, messageOf, type Problem, StartError } from "../errors.ts";
import { MAX_BYTES } from "./limited.ts";
import { readConfigFile } from "./read_file.ts";
import type { BaseText } from "./source.ts";
import type { Prepare } from "./variables.ts";

/** Most files that one may include. */
const MAX_FILES = 1_000;

/** Reads what a text includes. @throws ConfigError, StartError when it can't be had. */
export async function withIncluded(main: BaseText, prepare: Prepare): Promise<BaseText> {
  const patterns = includePatterns(main);
  if (patterns === undefined) return main;
  const found = await findIncluded(patterns, main.file);
  if (found.errors.length > 0) {
    const errors = placed(found.errors, main);
    const { variables = [], warnings } = main;
    throw new ConfigError(errors.map((each) => conceal(each, variables)), warnings);
  }
  const included: BaseText[] = [];
  let bytes = main.text.length;
  for (const file of found.files) {
    const text = prepare(await readConfigFile(file));
    bytes += text.text.length;
    if (bytes > MAX_BYTES) throw tooLarge(main.file);
    included.push(text);
  }
  const all: readonly BaseText[] = [main, ...included];
  return {
    ...main,
    included: included.map(({ text, file, format }): ConfigText => ({ text, file, format })),
    warnings: [...all.flatMap(({ warnings = [] }) => warnings), ...placed(found.warnings, main)],
    variables: all.flatMap(({ variables = [] }) => variables),
  };
}

function tooLarge(file: string): StartError {
  return new StartError(
    `${file} and the files that it includes are larger than 8 MiB`,
    "include configuration files only",
    true,
  );
}

/** The files that patterns name, and what is wrong with the patterns. */
export type Found = {
  /** Each once: pattern by pattern, sorted by name. */
  readonly files: readonly string[];
  readonly errors: readonly Problem[];
  readonly warnings: readonly Problem[];
};

/**
 * Looks for what patterns name, from the folder of the file that they stand in. That file isn't among them, nor is, for
 * `*` and `?` at the start of a name, one that starts with a dot.
 */
export async function findIncluded(patterns: readonly string[], mainFile: string): Promise<Found> {
  const files = new Set<string>();
  const errors: Problem[] = [];
  const warnings: Problem[] = [];
  for (const [index, pattern] of patterns.entries()) {
    const path = ["include", index];
    const { folder, name } = split(pattern, mainFile);
    if (hasWildcard(pattern.slice(0, pattern.lastIndexOf("/") + 1))) {
      const hint = 'only the last part may have one, as in "conf.d/*.toml"';
      errors.push({ path, message: `"${pattern}" has a wildcard in a folder's name`, hint });
      continue;
    }
    try {
      const names = hasWildcard(name) ? await list(folder, name) : await one(folder, name);
      if (names.length === 0) {
        warnings.push({ path, message: `"${pattern}" matches no file`, hint: "" });
      }
      for (const each of names) if (folder + each !== mainFile) files.add(folder + each);
    } catch (error) {
      const message = `"${pattern}" can't be included: ${why(error)}`;
      errors.push({ path, message, hint: `it was looked for as ${folder}${name}` });
    }
  }
  if (files.size > MAX_FILES) {
    const message = `names ${files.size} files; at most ${MAX_FILES} can be included`;
    errors.push({ path: ["include"], message, hint: "write several servers into one file" });
  }
  return { files: [...files], errors, warnings };
}

function hasWildcard(text: string): boolean {
  return /[*?]/.test(text);
}

/** The folder with its slash, empty for the current one, and the last part of a pattern. */
function split(pattern: string, mainFile: string): { folder: string; name: string } {
  const end = pattern.lastIndexOf("/") + 1;
  const base = pattern.startsWith("/") ? "" : mainFile.slice(0, mainFile.lastIndexOf("/") + 1);
  return {
    folder: base + pattern.slice(0, end).replace(/^(\.\/+)+/, ""),
    name: pattern.slice(end),
  };
}

async function one(folder: string, name: string): Promise<string[]> {
  await Deno.stat(folder + name);
  return [name];
}

/** The files of a folder whose names match, sorted; none where there is no such folder. */
async function list(folder: string, pattern: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name, isFile, isSymlink } of Deno.readDir(folder || ".")) {
      if (name.startsWith(".") && !pattern.startsWith(".")) continue;
      if (!matches(pattern, name)) continue;
      if (isFile || isSymlink && await leadsToFile(folder + name)) names.push(name);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return names.sort();
}

async function leadsToFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true; // reading it tells
    throw error;
  }
}

function why(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  return messageOf(error);
}
