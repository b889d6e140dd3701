import { parseHostPort, printHostPort } from "./address.ts";
import { printable } from "./errors.ts";
import { type Backend, MAX_NUMBER } from "./model.ts";

/** What a source says of a backend; what is left out has its default. */
export type Facts = Partial<Backend> & Pick<Backend, "host" | "port">;

/** The backend that a source tells of. A string says what is wrong with it. */
export function discovered(facts: Facts): Backend | string {
  const host = facts.host.replace(/^\[(.*)\]$/, "$1");
  const shown = printHostPort(host, facts.port);
  if (host === "") return `"${shown}" has no host`;
  if (!Number.isInteger(facts.port) || facts.port < 1 || facts.port > 65_535) {
    return `"${printable(shown)}" has no valid port`;
  }
  const parsed = parseHostPort(shown);
  if (typeof parsed === "string") return parsed.split("\n")[0]!;
  return { weight: 1, priority: 1, maxConnections: 0, sni: "", ...facts, host };
}

/** A weight, priority or limit in digits; undefined when it is none. */
export function parseFact(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) && Number(text) <= MAX_NUMBER ? Number(text) : undefined;
}

/** The object, or an empty one: what others send may have any form. */
export function fieldsOf(value: unknown): { readonly [key: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as { readonly [key: string]: unknown }
    : {};
}

/** The list, or an empty one. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The text, or an empty one. */
export function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
