/**
 * Patterns from a configuration, in Go's dialect: `(?P<name>…)`, `(?i)`, `[[:alpha:]]`. They meet hostile input, so they
 * are matched in linear time, whatever they say.
 */
import { RE2JS } from "re2js";
import { z } from "zod";
import { messageOf } from "./errors.ts";

/** A compiled pattern. */
export type Pattern = {
  /** Does it match anywhere in the text? */
  test(text: string): boolean;
  /** The named groups of the first match that took part in it; undefined where nothing matches. */
  groups(text: string): Readonly<Record<string, string>> | undefined;
};

/** Compiles a pattern. A string says what is wrong with it. */
export function compilePattern(source: string): Pattern | string {
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(source);
  } catch (error) {
    const why = messageOf(error).replace(/^error parsing regexp: /, "");
    return `${JSON.stringify(source)} is not a pattern: ${why}\n` +
      "write it as Go does; back-references and look-around don't exist";
  }
  const names = Object.keys(compiled.namedGroups());
  return {
    test: (text) => compiled.matcher(text).find(),
    groups(text) {
      const matcher = compiled.matcher(text);
      if (!matcher.find()) return undefined;
      const found = names.map((name) => [name, matcher.group(name)] as const);
      return Object.fromEntries(
        found.filter((entry): entry is [string, string] => typeof entry[1] === "string"),
      );
    },
  };
}

/** A pattern in a configuration. It is judged when the configuration is checked. */
export const pattern = (describe: string): z.ZodType<string, string> =>
  z.string().superRefine((source, context) => {
    const compiled = compilePattern(source);
    if (typeof compiled === "string") context.addIssue({ code: "custom", message: compiled });
  }).describe(describe);
