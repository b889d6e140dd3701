import { parseHostPort, printHostPort } from "./address.ts";
import { printable } from "./errors.ts";
import { type Backend, MAX_NUMBER } from "./model.ts";

/** What a source says of a backend, not judged yet. Null and undefined are "not said". */
export type BackendFields = {
  readonly host: unknown;
  readonly port: unknown;
  readonly weight?: unknown;
  readonly priority?: unknown;
  readonly maxConnections?: unknown;
  readonly sni?: unknown;
};

/**
 * A backend of what a source says: IPv6 with brackets or without, numbers as such or in digits, fractions cut off. A
 * string says why it can't be used.
 */
export function backendOf(fields: BackendFields): Backend | string {
  const { host, port, sni } = fields;
  if (isAbsent(host)) return "it has no host";
  if (typeof host !== "string") return `its host ${show(host)} is not a string`;
  if (isAbsent(port)) return "it has no port";
  const portNumber = numberOf(port);
  if (portNumber === undefined || portNumber < 1 || portNumber > 65535 || !isWhole(port)) {
    return `its port ${show(port)} is not a number from 1 to 65535`;
  }
  const bare = host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
  const parsed = parseHostPort(printHostPort(bare, portNumber));
  if (typeof parsed === "string" || parsed.host === "" || (bare !== host && !bare.includes(":"))) {
    return `its host ${show(host)} is neither a name nor an address`;
  }
  const numbers = { weight: 1, priority: 1, maxConnections: 0 };
  for (const name of ["weight", "priority", "maxConnections"] as const) {
    const said = fields[name];
    if (isAbsent(said)) continue;
    const number = numberOf(said);
    if (number === undefined || number < 0 || number > MAX_NUMBER) {
      return `its ${WORDS[name]} ${show(said)} is not a number from 0 to ${MAX_NUMBER}`;
    }
    numbers[name] = number;
  }
  if (!isAbsent(sni) && typeof sni !== "string") return `its sni ${show(sni)} is not a string`;
  if (/[\s\p{Cc}\p{Bidi_Control}]/u.test((sni ?? "") as string)) {
    return `its sni ${show(sni)} is no name`;
  }
  return { host: parsed.host, port: portNumber, ...numbers, sni: (sni ?? "") as string };
}

/** A weight, priority or limit in digits; undefined when it is none. */
export function parseFact(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) && Number(text) <= MAX_NUMBER ? Number(text) : undefined;
}

const WORDS = { weight: "weight", priority: "priority", maxConnections: "max_connections" };

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null || value === "";
}

/** A number, or one in digits; what is behind its point doesn't count. */
function numberOf(value: unknown): number | undefined {
  if (typeof value === "number" && Number.isFinite(value)) return Math.trunc(value);
  return typeof value === "string" && /^\d{1,10}$/.test(value) ? Number(value) : undefined;
}

function isWhole(value: unknown): boolean {
  return typeof value === "string" || Number.isInteger(value);
}

function show(value: unknown): string {
  const text = typeof value === "object" ? "of another type" : printable(JSON.stringify(value));
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
