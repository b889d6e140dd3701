import { z } from "zod";
import { compilePattern } from "../pattern.ts";

/**
 * A pattern in a configuration, which stays text there; a bad one is reported with its place.
 * @param groups Names that it must have groups of.
 */
export function pattern(
  describe: string,
  groups: readonly string[] = [],
): z.ZodType<string, string> {
  return z.string().superRefine((written, context) => {
    if (written === "") return; // not given, as gobetween sends it
    const compiled = compilePattern(written);
    const missing = typeof compiled === "string"
      ? []
      : groups.filter((name) => !compiled.names.includes(name));
    const message = typeof compiled === "string"
      ? compiled
      : missing.length > 0
      ? `${JSON.stringify(written)} has no group ${
        missing.map((name) => `"${name}"`).join(" and ")
      }\n` +
        `write ${missing.map((name) => `(?P<${name}>…)`).join(" and ")} where it stands`
      : undefined;
    if (message !== undefined) context.addIssue({ code: "custom", message });
  }).meta({ description: describe, form: "pattern" });
}
