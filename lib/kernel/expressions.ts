/** The words of nftables' JSON (libnftables-json(5)) that our rules are made of. Pure. */

import { parseCidr, printIPv4, printIPv6 } from "../address.ts";

/** What JSON can say. */
export type Json = string | number | null | readonly Json[] | { readonly [key: string]: Json };

/** What carries the packets of a server. */
export type Transport = "tcp" | "udp";

/** The versions of IP, as a rule names them. */
export type Family = "ip" | "ip6";

/** Both, in the order of our rules. */
export const FAMILIES: readonly Family[] = ["ip", "ip6"];

/** The version of an address literal. */
export function familyOf(address: string): Family {
  return address.includes(":") ? "ip6" : "ip";
}

/** Compares; the rule ends where it isn't so. */
export function match(left: Json, right: Json, op: "==" | "!=" | "in" = "=="): Json {
  return { match: { op, left, right } };
}

/** A field of a packet's header. */
export function field(protocol: string, name: string): Json {
  return { payload: { protocol, field: name } };
}

/** Only packets of this transport. */
export function carriedBy(transport: Transport): Json {
  return match({ meta: { key: "l4proto" } }, transport);
}

/** Only packets of this version of IP. */
export function ofFamily(family: Family): Json {
  return match({ meta: { key: "nfproto" } }, family === "ip" ? "ipv4" : "ipv6");
}

/** Only packets for an address of this host. */
export const forThisHost: Json = match({ fib: { result: "type", flags: ["daddr"] } }, "local");

/** Only packets from a network, as access rules write it. @throws RangeError for what is no network. */
export function from(text: string): Json {
  const cidr = parseCidr(text);
  if (cidr === undefined) throw new RangeError(`"${text}" is not a network`);
  const family = cidr.family === 4 ? "ip" : "ip6";
  const addr = cidr.family === 4 ? printIPv4(cidr.base) : printIPv6(cidr.base);
  const masks = cidr.family === 4 ? [cidr.mask] : cidr.mask;
  const len = masks.reduce((sum, mask) => sum + (32 - trailingZeros(mask)), 0);
  if (len === 0) return ofFamily(family);
  return match(field(family, "saddr"), { prefix: { addr, len } });
}

function trailingZeros(mask: number): number {
  return mask === 0 ? 32 : 31 - Math.clz32(mask & -mask);
}

/** Goes on in another chain, for good. */
export function goTo(chain: string): Json {
  return { goto: { target: chain } };
}

/** Counts in a counter that has a name. */
export function count(counter: string): Json {
  return { counter };
}

/** An address and a port as one key. */
export function place(
  family: Family,
  transport: Transport,
  side: "source" | "destination",
): Json {
  const [address, port] = side === "source" ? ["saddr", "sport"] : ["daddr", "dport"];
  return { concat: [field(family, address!), field(transport, port!)] };
}
