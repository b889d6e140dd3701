import { z } from "zod";
import { isIp } from "../lib/address.ts";
import { whole } from "../lib/config/values.ts";
import type { DiscoveryKind } from "../lib/kinds.ts";
import { addressesOf, type Family } from "../lib/net/dns/addresses.ts";
import { systemAddresses } from "../lib/net/dns/system.ts";
import { clientOf, dnsName, dnsServer } from "./_dns_server.ts";

/** The keys of `dns`. */
export type DnsOptions = {
  readonly dns_name: string;
  readonly dns_port: number;
  readonly dns_lookup_server?: string | undefined;
  readonly dns_family: Family;
};

/**
 * Each address of a name as a backend, asked again when the records' TTL ends if that is before the interval. Without a
 * server it asks as this host does: hosts file, then the servers and search domains of resolv.conf.
 */
export const dns: DiscoveryKind<DnsOptions> = {
  name: "dns",
  summary: "Every address that DNS has for a name, followed on its TTL.",
  example: `dns_name = "web.example.com"
dns_port = 8080`,
  shape: {
    dns_name: dnsName('dns_name = "web.example.com"').refine((name) => !isIp(name), {
      error: 'is an address, and a name is wanted\nfor addresses there is kind = "static"',
    }).describe("The name whose addresses (A, AAAA) are the backends."),
    dns_port: whole("The port of each backend.", 1, 65535),
    dns_lookup_server: dnsServer('dns_lookup_server = "127.0.0.1:53"')
      .describe("The DNS server to ask, `host:port`.").optional()
      .meta({ otherwise: "as this host resolves" }),
    dns_family: z.enum(["any", "ipv4", "ipv6"])
      .describe("Which addresses count; any: IPv4 where there are any, else IPv6.").default("any"),
  },
  async find({ dns_name, dns_port, dns_lookup_server, dns_family }, { signal, holds }) {
    const { addresses, ttlMs } = dns_lookup_server === undefined
      ? await systemAddresses(dns_name, dns_family, signal)
      : await addressesOf(
        await clientOf(dns_lookup_server, "udp", signal),
        dns_name,
        dns_family,
        signal,
      );
    holds?.(ttlMs);
    // servers turn their answers round; the order of a pool shouldn't turn with them
    return [...addresses].sort().map((host) => ({
      ...{ host, port: dns_port, weight: 1, priority: 1, maxConnections: 0, sni: "" },
    }));
  },
};
