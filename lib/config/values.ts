/**
 * Schemas of single values. What they say is the message and, after a line break, the hint. For the reference their
 * `.meta()` has, beside the description, what types don't say: `form`, how a value is written, with `least` and `most`;
 * `otherwise`, what holds where a key is left out and the schema has no default.
 */
import { z } from "zod";
import { isIp, parseBind, parseCidr } from "../address.ts";
import { parseDuration, printDuration } from "../duration.ts";
import type { Bind } from "../model.ts";
import { maskSecrets } from "../mask.ts";
import { quote } from "./issues.ts";

/** A duration, in milliseconds. `least` is what it may be at least; the default lets 0 in. */
export function duration(text: string, least = 0): z.ZodType<number, string> {
  const example = 'write a number and a unit, for example "10s", "1m30s" or "250ms"';
  return z.string({
    error: ({ input }) =>
      input === undefined ? undefined : `${quote(input)} is not a duration\n${example}`,
  }).transform((written, context) => {
    const ms = parseDuration(written);
    if (ms !== undefined && ms >= least) return ms;
    const wrong = ms === undefined
      ? `is not a duration\n${example}`
      : ms < 0
      ? `is negative\n${example}`
      : `is too short\nat least ${printDuration(least)}`;
    context.addIssue({ code: "custom", message: `${quote(written)} ${wrong}` });
    return z.NEVER;
  }).meta({
    ...{ description: text, form: "duration" },
    ...least > 0 ? { least: printDuration(least) } : {},
  });
}

const KIB = 1024;
const SIZE_UNITS: Readonly<Record<string, number>> = { "": 1, B: 1, KiB: KIB, MiB: KIB * KIB };

/** Bytes: a number, or a string like "64KiB"; from 1 KiB to 16 MiB. */
export function bufferSize(text: string): z.ZodType<number, string | number> {
  return z.union([z.string(), z.number()], {
    error: ({ input }) =>
      input === undefined
        ? undefined
        : `${quote(input)} is not a size\nwrite bytes, or a string like "256KiB" or "1MiB"`,
  }).transform((written, context) => {
    const bytes = parseSize(written);
    if (bytes !== undefined && bytes >= KIB && bytes <= 16 * KIB * KIB) return bytes;
    const wrong = bytes === undefined ? "is not a size" : "is out of range";
    const message = `${quote(written)} ${wrong}\nfrom "1KiB" to "16MiB", for example "256KiB"`;
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  }).meta({ description: text, form: "size", least: "1KiB", most: "16MiB" });
}

function parseSize(written: string | number): number | undefined {
  const [, digits, unit = ""] = /^(\d{1,12}) ?(B|KiB|MiB)?$/.exec(String(written)) ?? [];
  return digits === undefined ? undefined : Number(digits) * SIZE_UNITS[unit]!;
}

/** Where a listener binds. */
export function bind(text: string): z.ZodType<Bind, string> {
  return z.string({
    error: ({ input }) =>
      input === undefined ? 'is missing\nfor example bind = ":3000"' : undefined,
  }).transform((written, context) => {
    const parsed = written === "" ? 'is empty\nfor example bind = ":3000"' : parseBind(written);
    if (typeof parsed !== "string") return parsed;
    context.addIssue({ code: "custom", message: parsed });
    return z.NEVER;
  }).meta({ description: text, form: "address and port" });
}

/** Networks, `10.0.0.0/8`, or single addresses. */
export function networks(text: string): z.ZodArray<z.ZodString> {
  return z.array(
    z.string().superRefine((written, context) => {
      if (parseCidr(written) !== undefined) return;
      const message = `${quote(written)} is not an address or network\nfor example "10.0.0.0/8"`;
      context.addIssue({ code: "custom", message });
    }),
  ).meta({ description: text, form: "list of networks" });
}

/** An address literal of either family. */
export function address(text: string): z.ZodType<string, string> {
  return z.string().superRefine((written, context) => {
    if (isIp(written)) return;
    const message = `${quote(written)} is not an address\nfor example "10.0.0.1" or "2001:db8::1"`;
    context.addIssue({ code: "custom", message });
  }).meta({ description: text, form: "address" });
}

/** A whole number, at least `least`. */
export function whole(text: string, least?: number, most?: number): z.ZodType<number, number> {
  let number = z.int();
  if (least !== undefined) number = number.min(least);
  if (most !== undefined) number = number.max(most);
  return number.describe(text);
}

/** A URL of http or https, whole. */
export function httpUrl(text: string): z.ZodType<string, string> {
  return z.string().superRefine((written, context) => {
    const url = URL.canParse(written) ? new URL(written) : undefined;
    if (url !== undefined && /^https?:$/.test(url.protocol)) return;
    const message = `${quote(maskSecrets(written))} is not a URL of http or https\n` +
      "write it whole, for example http://10.0.0.1:8080/backends";
    context.addIssue({ code: "custom", message });
  }).meta({ description: text, form: "URL" });
}

/** Any text. */
export function text(describe: string): z.ZodType<string, string> {
  return z.string().describe(describe);
}

/** The path of a file that is read; `twixt check` warns where there is none. Empty by default. */
export function filePath(describe: string): z.ZodType<string, string | undefined> {
  return z.string().default("").describe(describe).meta({ file: true });
}

/** true or false. */
export function flag(describe: string): z.ZodType<boolean, boolean> {
  return z.boolean().describe(describe);
}
