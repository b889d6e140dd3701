/** Regular expressions of configurations: RE2's syntax, as Go has it, and linear in time whatever they meet. */
import { RE2JS } from "re2js";
import { messageOf } from "./errors.ts";

/** A compiled regular expression. */
export type Pattern = {
  /** The names of its groups, `(?P<name>…)`. */
  readonly names: readonly string[];
  /** Does it match anywhere in the text? */
  test(text: string): boolean;
  /** What its named groups match where it first matches; those that match nothing are left out. */
  groups(text: string): Readonly<Record<string, string>> | undefined;
};

/** Compiles RE2 syntax. A string says what is wrong and, after a line break, what to do. */
export function compilePattern(source: string): Pattern | string {
  try {
    return new Compiled(RE2JS.compile(source));
  } catch (error) {
    const why = messageOf(error).replace(/^error parsing regexp: /, "");
    return `${JSON.stringify(source)} is not a pattern: ${why}\n${hintFor(why)}`;
  }
}

class Compiled implements Pattern {
  readonly names: readonly string[];
  readonly #expression: RE2JS;

  constructor(expression: RE2JS) {
    this.#expression = expression;
    this.names = Object.keys(expression.namedGroups());
  }

  test(text: string): boolean {
    return this.#expression.test(text); // half the time of a matcher
  }

  groups(text: string): Readonly<Record<string, string>> | undefined {
    const matcher = this.#expression.matcher(text);
    if (!matcher.find()) return undefined;
    const found = this.names.map((name) => [name, matcher.group(name)] as const);
    return Object.fromEntries(
      found.filter((entry): entry is [string, string] => entry[1] !== null),
    );
  }
}

function hintFor(why: string): string {
  if (/Perl syntax/.test(why)) return "it is RE2: there is no look-ahead and no look-behind";
  if (/escape sequence: `\\\d/.test(why)) return "it is RE2: there are no back-references";
  if (/repeat count/.test(why)) return "a repetition may be counted to 1000, with all inside it";
  return "it is RE2's syntax: https://github.com/google/re2/wiki/Syntax";
}
