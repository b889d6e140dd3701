import { type DnsClient, resolve } from "./client.ts";
import type { DnsRecord } from "./message.ts";

/**
 * Which addresses count. `any`: IPv4 addresses where there are any, else IPv6, so that a host with one of each isn't two
 * backends, and one that this host has no route to isn't one.
 */
export type Family = "any" | "ipv4" | "ipv6";

/** The addresses of a name, each once, and how long they hold. */
export type Addresses = { readonly addresses: readonly string[]; readonly ttlMs: number };

const TYPES_OF: Readonly<Record<Family, readonly ("A" | "AAAA")[]>> = {
  any: ["A", "AAAA"],
  ipv4: ["A"],
  ipv6: ["AAAA"],
};

/** Asks for the addresses of a name. None is an answer, too. @throws DiscoveryError as `resolve` does. */
export async function addressesOf(
  client: DnsClient,
  name: string,
  family: Family,
  signal: AbortSignal,
): Promise<Addresses> {
  for (const type of TYPES_OF[family]) {
    const { records, ttlMs } = await resolve(client, name, type, signal);
    const addresses = [...new Set(records.map((record) => record.address))];
    if (addresses.length > 0) return { addresses, ttlMs };
  }
  return { addresses: [], ttlMs: Infinity };
}

/** The addresses that records give a name, as {@link Family} `any` has it. Pure. */
export function addressesAmong(records: readonly DnsRecord[], name: string): string[] {
  for (const type of TYPES_OF.any) {
    const found = records.flatMap((record) =>
      record.type === type && record.name === name && "address" in record ? [record.address] : []
    );
    if (found.length > 0) return [...new Set(found)];
  }
  return [];
}
