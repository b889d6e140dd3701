/** `${NAME}` in a configuration's text: what stands there instead, and how messages keep quiet about it. Pure. */
import type { Problem } from "../errors.ts";
import { type ConfigText, lineAndColumn } from "./parse.ts";

/** A variable that was put into a text. */
export type Variable = { readonly name: string; readonly value: string };

/** A text with its variables put in. */
export type Substituted = {
  readonly text: string;
  /** Those that had a value. */
  readonly variables: readonly Variable[];
  /** A warning for each one that had none. */
  readonly warnings: readonly Problem[];
};

/** `$${`, which means `${`; or `${` and the shortest run up to `}`. */
const PLACE = /\$\$\{|\$\{([^}\n]*)\}/g;

/**
 * Puts variables into a text before anything else is made of it: comments too, and without quotes of its own, as
 * gobetween does. `${NAME:-default}` stands for the default where the variable isn't set or empty; without a default it
 * is empty, and warned of. `$${` is a `${` that stays.
 */
export function substitute(
  { text, file }: ConfigText,
  valueOf: (name: string) => string | undefined,
): Substituted {
  const variables = new Map<string, Variable>();
  const warnings: Problem[] = [];
  const after = text.replace(PLACE, (place: string, inner: string | undefined, offset: number) => {
    if (inner === undefined) return "${";
    const end = inner.indexOf(":-");
    const name = end < 0 ? inner : inner.slice(0, end);
    const value = valueOf(name);
    if (value !== undefined && value !== "") variables.set(name, { name, value });
    else if (end >= 0) return inner.slice(end + 2);
    else if (value === undefined) {
      warnings.push({ ...missing(name, place), file, ...lineAndColumn(text, offset) });
    }
    return value ?? "";
  });
  return { text: after, variables: [...variables.values()], warnings };
}

function missing(name: string, place: string): Problem {
  return {
    path: [],
    message: `the variable "${name}" is not set, so ${place} is empty`,
    hint: `set it, or give a default: \${${name}:-default}; $\${ is a \${ that stays`,
  };
}

/** The longest beginning of a value that a message shows before it cuts it off. */
const SHOWN = 76;

/** The problem without the values of variables: they may be secrets, so that their names stand in their place. */
export function conceal(problem: Problem, variables: readonly Variable[]): Problem {
  const longestFirst = variables.toSorted((a, b) => b.value.length - a.value.length);
  const clean = (text: string) =>
    longestFirst.reduce((text, { name, value }) => withoutValue(text, value, `\${${name}}`), text);
  return { ...problem, message: clean(problem.message), hint: clean(problem.hint) };
}

function withoutValue(text: string, value: string, name: string): string {
  const shown = JSON.stringify(value);
  // a word of a letter or two stands in any message; as a value it stands in quotes
  if (value.length < 4) return replaceAnyCase(text, shown, `"${name}"`);
  const inQuotes = shown.slice(1, -1);
  const after = replaceAnyCase(replaceAnyCase(text, inQuotes, name), value, name);
  const cut = after.indexOf("…");
  const before = after.slice(0, cut).toLowerCase();
  for (let length = Math.min(inQuotes.length, SHOWN); cut >= 0 && length >= 4; length--) {
    if (before.endsWith(inQuotes.slice(0, length).toLowerCase())) {
      return after.slice(0, cut - length) + name + after.slice(cut);
    }
  }
  return after;
}

/** In any case: some values are put in lower case before they are judged. */
function replaceAnyCase(text: string, what: string, by: string): string {
  const pattern = what.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
  return text.replace(new RegExp(pattern, "gi"), () => by);
}
