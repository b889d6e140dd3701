/** What a schema has found, in words: the message and, after a line break, what to do. */
import type { z } from "zod";
import { oneOf } from "./suggest.ts";
import { isSecretKey } from "../mask.ts";

/** A value as messages show it: short, on one line, strings in quotes. */
export function quote(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (value instanceof Date) return "a date";
  if (typeof value === "object" && value !== null) return "a section";
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length <= 80 ? text : `${text.slice(0, 76)}…${typeof value === "string" ? '"' : ""}`;
}

const WANTED: Readonly<Record<string, string>> = {
  int: "a whole number",
  number: "a whole number",
  string: "a string",
  boolean: "true or false",
  array: "a list",
  object: "a section",
  record: "a section",
};

/** The words for the issues of one key's schema. What a schema says itself comes before it. */
export function wordsFor(key: string): z.core.$ZodErrorMap {
  return (issue) => {
    const shown = isSecretKey(key) && typeof issue.input !== "object"
      ? "the value"
      : quote(issue.input);
    switch (issue.code) {
      case "invalid_type":
        return issue.input === undefined
          ? "is missing"
          : wrongType(issue.expected, issue.input, shown);
      case "invalid_value":
        if (issue.input === undefined) return "is missing";
        return `${shown} is not possible here\n${
          oneOf(typeof issue.input === "string" ? issue.input : "", issue.values.map(String))
        }`;
      case "too_small":
        return issue.origin === "array" || issue.origin === "string"
          ? `${issue.input === "" ? '""' : shown} is too short\nat least ${issue.minimum}`
          : `${shown} is too small\nat least ${issue.minimum}`;
      case "too_big":
        return `${shown} is too large\nat most ${issue.maximum}`;
      case "unrecognized_keys":
        return `${issue.keys.map(quote).join(", ")} is unknown here`;
      default:
        return issue.input === undefined ? "is missing" : `${shown} is not valid`;
    }
  };
}

function wrongType(expected: string, input: unknown, shown: string): string {
  const wanted = WANTED[expected] ?? expected;
  const text = `${shown} is not ${wanted}`;
  if (typeof input === "string" && /^(-?\d+|true|false)$/.test(input) && expected !== "array") {
    return `${text}\nwrite it without quotes: ${input}`;
  }
  if (expected === "string" && ["number", "boolean", "bigint"].includes(typeof input)) {
    return `${text}\nwrite it in quotes`;
  }
  return expected === "array" && typeof input === "string" ? `${text}\nwrite it in [ ]` : text;
}
