import { contains, parseCidr, parseIPv4, parseIPv6, unmap } from "../lib/address.ts";

const LOOPBACK = [parseCidr("127.0.0.0/8")!, parseCidr("::1")!];

/** Is this address the host itself? An IPv4 address may be mapped. */
export function isLoopback(ip: string): boolean {
  return LOOPBACK.some((network) => contains(network, ip));
}

/**
 * What callers are told apart by: the IPv4 address, or the first 64 bits of an IPv6 address, because whoever has one
 * address of such a network has all of them.
 */
export function callerKey(ip: string): string {
  const address = unmap(ip);
  if (parseIPv4(address) >= 0) return address;
  const words = parseIPv6(address);
  return words === undefined ? address : `${words[0].toString(16)}:${words[1].toString(16)}`;
}
