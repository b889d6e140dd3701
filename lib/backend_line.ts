import { z } from "zod";
import { parseHostPort } from "./address.ts";
import { printable } from "./errors.ts";
import { type Backend, MAX_NUMBER } from "./model.ts";

const NUMBERS = ["weight", "priority", "max_connections"] as const;
const OPTIONS = [...NUMBERS, "sni", "proxy"];

/**
 * A backend from `host:port [weight=1] [priority=1] [max_connections=0] [sni=NAME] [proxy=0|1|2]`, the options in any order. A string
 * says what is wrong with the line, and after a line break, where there is more to say, what to do.
 */
export function parseBackendLine(line: string): Backend | string {
  const [address = "", ...options] = line.trim().split(/\s+/);
  if (address === "") return "an empty line is not a backend\nwrite host:port";
  const parsed = parseHostPort(address);
  if (typeof parsed === "string") return parsed;
  const { host, port } = parsed;
  if (host === "") {
    return `"${address}" has no host\nwrite host:port, for example "localhost:${port}"`;
  }
  if (port === 0) {
    return `"${address}" has no valid port\nwrite host:port with a port from 1 to 65535`;
  }
  const values = new Map<string, string>();
  for (const option of options) {
    const [, name, value = ""] = /^([^=]*)=(.*)$/.exec(option) ?? [];
    if (name === undefined || !OPTIONS.includes(name)) {
      return `"${option}" is not an option of a backend\nOne of ${OPTIONS.join("=, ")}=`;
    }
    if (values.has(name)) return `"${option}" says ${name} a second time`;
    if (isWrong(name, value)) return `"${option}" has no valid value\n${hintOf(name)}`;
    values.set(name, value);
  }
  const number = (name: (typeof NUMBERS)[number], other: number) =>
    values.has(name) ? Number(values.get(name)) : other;
  return {
    host,
    port,
    weight: number("weight", 1),
    priority: number("priority", 1),
    maxConnections: number("max_connections", 0),
    sni: values.get("sni") ?? "",
    ...values.has("proxy") ? { proxy: Number(values.get("proxy")) as 0 | 1 | 2 } : {},
  };
}

function isWrong(name: string, value: string): boolean {
  if (name === "sni") return value === "" || printable(value) !== value;
  if (name === "proxy") return !/^[012]$/.test(value);
  return !/^\d+$/.test(value) || Number(value) > MAX_NUMBER;
}

function hintOf(name: string): string {
  if (name === "sni") return "write sni=NAME";
  if (name === "proxy") return "write the version of the PROXY header, 1 or 2, or 0 for none";
  return `${name} is a whole number from 0 to ${MAX_NUMBER}`;
}

/**
 * A list of backend lines in a configuration. Each is judged when the configuration is checked, so that a bad one is
 * reported with its place. An empty list is allowed and warned of.
 */
export const backendLines: z.ZodType<string[], string[]> = z.array(
  z.string().superRefine((line, context) => {
    const parsed = parseBackendLine(line);
    if (typeof parsed === "string") context.addIssue({ code: "custom", message: parsed });
  }),
).meta({ form: "list of backends", backends: true, warnWhenEmpty: "no backends" });
