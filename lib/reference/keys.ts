/** What a key's schema says about it, in words for people. Pure. */
import { z } from "zod";
import { printDuration } from "../duration.ts";

/** One key in words; Markdown, each without a line break. */
export type KeyWords = {
  readonly key: string;
  /** "duration", "one of …", "whole number, 1 to 64". */
  readonly value: string;
  /** What holds where it is left out: a value as one writes it, a phrase, or "required". Empty where nobody says. */
  readonly otherwise: string;
  /** One or two sentences; empty where there is none. */
  readonly text: string;
};

/** The parts of a JSON Schema that keys have, and what their `.meta()` adds; see `lib/config/values.ts`. */
type Described = {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly items?: Described;
  readonly minItems?: number;
  readonly anyOf?: readonly Described[];
  readonly additionalProperties?: Described;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly form?: string;
  readonly least?: string;
  readonly most?: string;
  readonly otherwise?: string;
};

/**
 * Words for a key.
 * @param refused Values that its schema has and that the configuration's check refuses for now.
 * @throws Error when its type has no words.
 */
export function wordsOf(
  key: string,
  schema: z.ZodType,
  refused: readonly unknown[] = [],
): KeyWords {
  const described = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as Described;
  const left = schema.safeParse(undefined);
  return {
    key,
    value: valueOf(key, described, refused),
    otherwise: withKeysMarked(
      described.otherwise ?? (left.success ? written(left.data, described) : "required"),
    ),
    text: withKeysMarked(described.description ?? ""),
  };
}

function valueOf(key: string, described: Described, refused: readonly unknown[] = []): string {
  if (described.form !== undefined) return described.form + range(described.least, described.most);
  const values = described.enum?.filter((value) => !refused.includes(value));
  if (values?.length === 1) return code(values[0]);
  if (values !== undefined) return `one of ${values.map(code).join(", ")}`;
  if (described.anyOf !== undefined) {
    return described.anyOf.map((each) => valueOf(key, each)).join(", or ");
  }
  const { type, items, minItems = 0, additionalProperties: inner } = described;
  if (type === "boolean") return "`true` or `false`";
  if (type === "string") return "text";
  if (type === "integer") return "whole number" + rangeOf(described);
  if (type === "array" && items?.type === "string") {
    return minItems > 0 ? "list of text, not empty" : "list of text";
  }
  if (type === "object" && inner?.type === "string") return "table of text";
  throw new Error(`no words for the type of ${key}; say how it is written: .meta({ form: "…" })`);
}

/** Limits that mean something: whole numbers have those of the language, too. */
function rangeOf({ minimum, maximum }: Described): string {
  const limit = (number?: number) => Number.isSafeInteger(number) ? number : undefined;
  const ends = [limit(minimum), limit(maximum)].map((end) =>
    end === undefined || Math.abs(end) === Number.MAX_SAFE_INTEGER ? undefined : String(end)
  );
  return range(...ends);
}

function range(least?: string, most?: string): string {
  if (least === undefined) return most === undefined ? "" : `, at most ${most}`;
  return most === undefined ? `, at least ${least}` : `, ${least} to ${most}`;
}

/** A default as one writes it, where the schema has made something else of it. */
function written(value: unknown, { form }: Described): string {
  if (value === undefined) return "";
  if (form === "duration" && typeof value === "number") return code(shortDuration(value));
  return code(value);
}

/** `1m` for 60,000: what people write, and not the Go that `printDuration` makes of it. */
function shortDuration(ms: number): string {
  if (ms === 0) return "0";
  return printDuration(ms).replace(/(?<=[mh])0s$/, "").replace(/(?<=h)0m$/, "");
}

function code(value: unknown): string {
  return `\`${JSON.stringify(value)}\``;
}

/** Names of keys in a text as code, where they aren't yet. */
function withKeysMarked(text: string): string {
  const parts = text.split("`"); // every second one is code already
  return parts.map((part, index) =>
    index % 2 === 1 ? part : part.replace(/\b[a-z]+(?:_[a-z0-9]+)+\b/g, "`$&`")
  ).join("`");
}
