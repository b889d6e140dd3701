/** Version 1 of the PROXY protocol: one line of text. */
import {
  isIPv4,
  isMapped,
  parseIp,
  parseIPv6,
  parsePort,
  printIPv4,
  printIPv6,
  unmap,
  type Words,
} from "../lib/address.ts";
import type { Endpoint, ProxyFault, ProxyHeader } from "./proxy_header.ts";

/** The first bytes of version 1. */
export const V1_START: Uint8Array = new TextEncoder().encode("PROXY ");

/** The longest line, its CRLF included, in bytes. */
export const V1_MAX_BYTES = 107;

/** Judges a line, which begins with {@link V1_START}, without its CRLF. */
export function readV1(bytes: Uint8Array): ProxyHeader | ProxyFault {
  const [, family, ...fields] = String.fromCharCode(...bytes).split(" ");
  switch (family) {
    case "UNKNOWN":
      return { version: 1, local: false };
    case "TCP4":
      return readAddresses(fields, (text) => isIPv4(text) ? text : undefined);
    case "TCP6":
      return readAddresses(fields, readIPv6);
    default:
      return "malformed";
  }
}

function readIPv6(text: string): string | undefined {
  const words = text.includes("%") ? undefined : parseIPv6(text);
  return words && unmap(printIPv6(words));
}

function readAddresses(
  fields: readonly string[],
  read: (text: string) => string | undefined,
): ProxyHeader | ProxyFault {
  if (fields.length !== 4) return "malformed";
  const source = endpoint(read(fields[0]!), fields[2]!);
  const destination = endpoint(read(fields[1]!), fields[3]!);
  if (source === undefined || destination === undefined) return "malformed";
  return { version: 1, local: false, source, destination };
}

function endpoint(address: string | undefined, text: string): Endpoint | undefined {
  const port = parsePort(text);
  if (address === undefined || port === undefined || String(port) !== text) return undefined;
  return { address, port };
}

/**
 * The line for a connection: TCP4 where both ends are IPv4 (IPv4-mapped counts), else TCP6. An end that is missing
 * or no address (a Unix socket) makes it UNKNOWN.
 */
export function writeV1(source?: Endpoint, destination?: Endpoint): Uint8Array<ArrayBuffer> {
  const from = parseIp(source?.address ?? "");
  const to = parseIp(destination?.address ?? "");
  if (from === undefined || to === undefined) return encode("PROXY UNKNOWN\r\n");
  const [family, print] = isMapped(from) && isMapped(to)
    ? ["TCP4", (words: Words) => printIPv4(words[3])] as const
    : ["TCP6", printIPv6] as const;
  return encode(
    `PROXY ${family} ${print(from)} ${print(to)} ${source!.port} ${destination!.port}\r\n`,
  );
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
