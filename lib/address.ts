/**
 * Addresses as text: `host:port`, binds, and networks in CIDR form. Self-made, because workers need it for every connection:
 * the packages there are cost a worker as much time to load as all the rest of its start, and allocate for each address.
 * Functions that judge what a person wrote answer a string where it is wrong: what is wrong, and after a line
 * break, where there is more to say, what to do.
 */
import type { Bind } from "./model.ts";

/** A host and a port, taken apart. */
export type HostPort = {
  /** A name or an address literal; IPv6 without brackets; empty for `:3000`. */
  readonly host: string;
  /** 0 to 65535. */
  readonly port: number;
};

/** Tells ports apart, in sets: TCP and UDP have ports of their own. */
export function portKey(protocol: "tcp" | "udp", port: number): string {
  return `${protocol} ${port}`;
}

/** Takes `host:port`, `[::1]:port` or `:port` apart. */
export function parseHostPort(text: string): HostPort | string {
  if (text.includes("@")) return "there is a login in it, or an @\nwrite host:port alone"; // unshown
  const shown = JSON.stringify(text);
  if (text.includes("://")) return `${shown} is a URL\nwrite host:port alone`;
  const colon = text.lastIndexOf(":");
  if (colon < 0) return `${shown} has no port\nwrite host:port, for example "localhost:8000"`;
  const port = parsePort(text.slice(colon + 1));
  if (port === undefined) {
    return `${shown} has no valid port\nwrite host:port with a port from 1 to 65535`;
  }
  const host = text.slice(0, colon);
  if (host.startsWith("[") && host.endsWith("]")) {
    const inner = host.slice(1, -1);
    return isIPv6(inner) ? { host: inner, port } : `${shown} has no IPv6 address in its brackets`;
  }
  if (host.includes(":")) {
    return `${shown} has an IPv6 address without brackets\nwrite [${host}]:${port}`;
  }
  if (/^[\d.]+$/.test(host) && !isIPv4(host)) {
    return `${shown} has no valid address\nan IPv4 address is four numbers from 0 to 255`;
  }
  return IMPOSSIBLE.test(host) ? `${shown} has no valid host` : { host, port };
}

/** What no host has in it, or begins with: a program that gets it as an argument would take it for an option. */
const IMPOSSIBLE = /[\s/@[\]"'?#\p{Cc}\p{Bidi_Control}]|^-/u;

/** A port number in digits, 0 to 65535. */
export function parsePort(text: string): number | undefined {
  if (!/^\d{1,5}$/.test(text)) return undefined;
  const port = Number(text);
  return port <= 65535 ? port : undefined;
}

/** `host:port`, with IPv6 in brackets. */
export function printHostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Where a listener binds. `:P` is every address of both families, `0.0.0.0:P` every IPv4 address and no other,
 * `localhost:P` is 127.0.0.1. Other names are refused: which address they mean could change under a running listener.
 */
export function parseBind(text: string): Bind | string {
  const parsed = parseHostPort(text);
  if (typeof parsed === "string") {
    const example = parsePort(text) === undefined ? ":3000" : `:${text}`;
    return parsed.replace('write host:port, for example "localhost:8000"', `write "${example}"`)
      .replace("a port from 1 to 65535", "a port from 0 to 65535");
  }
  const { host, port } = parsed;
  if (host === "") return { hostname: "::", port, text };
  if (host.toLowerCase() === "localhost") return { hostname: "127.0.0.1", port, text };
  if (isIPv4(host)) return { hostname: host, port, text };
  if (isIPv6(host)) return { hostname: shortest(host), port, text };
  return `"${host}" is a name, a bind needs an address\n` +
    `write the address, 127.0.0.1:${port} for this host alone, or :${port} for all of its addresses`;
}

/** The one way to write an IPv6 address. */
function shortest(host: string): string {
  return host.includes("%") ? host : new URL(`http://[${host}]/`).hostname.slice(1, -1);
}

/** Is it four decimal numbers with dots? */
export function isIPv4(text: string): boolean {
  return parseIPv4(text) >= 0;
}

/** Is it an IPv6 literal, without brackets? A zone (`%eth0`) may follow. */
export function isIPv6(text: string): boolean {
  return parseIPv6(text) !== undefined;
}

/** Is it an address literal of either family, without brackets? */
export function isIp(text: string): boolean {
  return isIPv4(text) || isIPv6(text);
}

/** The one way to write an address; `text` has to be one. */
export function canonicalIp(text: string): string {
  const words = parseIp(text)!;
  return isMapped(words) ? printIPv4(words[3]) : printIPv6(words);
}

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** `::ffff:10.0.0.1` as `10.0.0.1`, anything else as it is. */
export function unmap(ip: string): string {
  return ip.length > 7 && ip.charCodeAt(0) === 58 ? MAPPED.exec(ip)?.[1] ?? ip : ip;
}

/** An IPv4 address as a number from 0 to 2^32 - 1, or -1 for anything else. No allocation. */
export function parseIPv4(text: string): number {
  let value = 0, octet = 0, digits = 0, dots = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 46) {
      if (digits === 0 || ++dots > 3) return -1;
      value = value * 256 + octet;
      octet = digits = 0;
    } else if (code < 48 || code > 57 || (digits > 0 && octet === 0)) {
      return -1; // "010" would be octal to some, decimal to others
    } else {
      octet = octet * 10 + code - 48;
      if (++digits > 3 || octet > 255) return -1;
    }
  }
  return dots === 3 && digits > 0 ? value * 256 + octet : -1;
}

/** A network: IPv4 as one number, IPv6 as four; the bits behind the prefix are already cleared. */
export type Cidr =
  | { readonly family: 4; readonly base: number; readonly mask: number }
  | { readonly family: 6; readonly base: Words; readonly mask: Words };

/** An IPv6 address as four unsigned 32-bit numbers, most significant first. */
export type Words = readonly [number, number, number, number];

/** An address of either family, IPv4 as IPv4-mapped; undefined for anything else. */
export function parseIp(text: string): Words | undefined {
  const v4 = parseIPv4(text);
  return v4 < 0 ? parseIPv6(text) : [0, 0, 0xffff, v4];
}

/** Is it an IPv4 address, written as IPv4-mapped IPv6? */
export function isMapped(words: Words): boolean {
  return words[0] === 0 && words[1] === 0 && words[2] === 0xffff;
}

/** A network from `10.0.0.0/8`, `2001:db8::/32` or a single address; undefined when it is none. */
export function parseCidr(text: string): Cidr | undefined {
  const [address = "", prefix, ...rest] = text.split("/");
  if (rest.length > 0 || (prefix !== undefined && !/^\d{1,3}$/.test(prefix))) return undefined;
  const v4 = parseIPv4(address);
  if (v4 >= 0) return networkV4(v4, prefix === undefined ? 32 : Number(prefix));
  const words = parseIPv6(address);
  if (words === undefined) return undefined;
  const bits = prefix === undefined ? 128 : Number(prefix);
  if (bits > 128) return undefined;
  if (isMapped(words) && bits >= 96) return networkV4(words[3], bits - 96);
  const mask = [0, 1, 2, 3].map((i) => maskOf(bits - 32 * i)) as unknown as Words;
  return { family: 6, mask, base: words.map((word, i) => (word & mask[i]!) >>> 0) as never };
}

function networkV4(address: number, bits: number): Cidr | undefined {
  if (bits > 32) return undefined;
  const mask = maskOf(bits);
  return { family: 4, mask, base: (address & mask) >>> 0 };
}

function maskOf(bits: number): number {
  return bits <= 0 ? 0 : bits >= 32 ? 0xffffffff : (0xffffffff << (32 - bits)) >>> 0;
}

/** An IPv6 literal as four numbers; undefined for anything else. A zone is left out. */
export function parseIPv6(text: string): Words | undefined {
  const zone = text.indexOf("%");
  if (zone >= 0 && !/^[0-9a-z.-]+$/i.test(text.slice(zone + 1))) return undefined;
  const address = zone < 0 ? text : text.slice(0, zone);
  const gap = address.indexOf("::");
  const head = groups(gap < 0 ? address : address.slice(0, gap), gap < 0);
  const tail = gap < 0 ? [] : groups(address.slice(gap + 2), true);
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (gap < 0 ? missing !== 0 : missing < 1) return undefined;
  for (let i = 0; i < missing; i++) head.push(0);
  head.push(...tail);
  const word = (i: number) => ((head[i]! << 16) | head[i + 1]!) >>> 0;
  return [word(0), word(2), word(4), word(6)];
}

/** An IPv6 address in its one canonical spelling (RFC 5952); an IPv4-mapped one as `::ffff:10.0.0.1`. */
export function printIPv6(words: Words): string {
  if (isMapped(words)) return `::ffff:${printIPv4(words[3])}`;
  const groups = words.flatMap((word) => [word >>> 16, word & 0xffff]);
  let gap = 0, zeros = 1; // a single zero is written
  for (let i = 0; i < 8; i++) {
    let run = 0;
    while (groups[i + run] === 0) run++;
    if (run > zeros) [gap, zeros] = [i, run];
  }
  const hex = (from: number, to: number) =>
    groups.slice(from, to).map((group) => group.toString(16)).join(":");
  return zeros === 1 ? hex(0, 8) : `${hex(0, gap)}::${hex(gap + zeros, 8)}`;
}

/** An IPv4 address, a number from 0 to 2^32 - 1, as text. */
export function printIPv4(value: number): string {
  return `${value >>> 24}.${value >>> 16 & 255}.${value >>> 8 & 255}.${value & 255}`;
}

/** 16-bit groups of a part of an IPv6 address; where it ends the address, IPv4 may be its end. */
function groups(text: string, last: boolean): number[] | undefined {
  if (text === "") return [];
  const found: number[] = [];
  const parts = text.split(":", 9);
  for (const [i, part] of parts.entries()) {
    if (/^[0-9a-f]{1,4}$/i.test(part)) found.push(parseInt(part, 16));
    else {
      const v4 = last && i === parts.length - 1 ? parseIPv4(part) : -1;
      if (v4 < 0) return undefined;
      found.push(v4 >>> 16, v4 & 0xffff);
    }
  }
  return found;
}

/** Does the network hold this address? IPv4 networks hold IPv4-mapped addresses, too. */
export function contains(cidr: Cidr, ip: string): boolean {
  const v4 = parseIPv4(unmap(ip));
  if (cidr.family === 4) return v4 >= 0 && ((v4 & cidr.mask) >>> 0) === cidr.base;
  if (v4 >= 0) return false;
  const words = parseIPv6(ip);
  return words !== undefined && holds(cidr.base, cidr.mask, words);
}

/** Is `words` in the IPv6 network of `base` and `mask`? */
export function holds(base: Words, mask: Words, words: Words): boolean {
  return ((words[0] & mask[0]) >>> 0) === base[0] && ((words[1] & mask[1]) >>> 0) === base[1] &&
    ((words[2] & mask[2]) >>> 0) === base[2] && ((words[3] & mask[3]) >>> 0) === base[3];
}
