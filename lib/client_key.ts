import { parseIPv4, parseIPv6, unmap } from "./address.ts";
import { fnv1a } from "./fnv.ts";
import type { Bind } from "./model.ts";

/** Which bytes of a client's address are hashed: 4, or the 16 of its IPv6 form. */
export type KeyWidth = 4 | 16;

/**
 * gobetween hashes what its socket shows: 4 bytes on a listener of one IPv4 address, else 16, also for
 * `0.0.0.0:P`, which it opens for both families. The same here, so that clients stay where it has put them.
 */
export function keyWidth(bind: Pick<Bind, "hostname">): KeyWidth {
  return bind.hostname.includes(":") || bind.hostname === "0.0.0.0" ? 16 : 4;
}

/** FNV-1a of a client's address, an unsigned 32-bit integer; 0 for what is no address. */
export function clientKey(ip: string, width: KeyWidth): number {
  const v4 = parseIPv4(unmap(ip));
  if (v4 >= 0) return fnv1a(width === 4 ? octets(v4) : mapped(v4));
  const words = parseIPv6(ip);
  return words === undefined ? 0 : fnv1a(Uint8Array.from(words.flatMap(octetsOf)));
}

function octetsOf(word: number): number[] {
  return [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255];
}

function octets(v4: number): Uint8Array {
  return Uint8Array.from(octetsOf(v4));
}

function mapped(v4: number): Uint8Array {
  return Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, ...octetsOf(v4)]);
}
