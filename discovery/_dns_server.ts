/** What `srv` and `dns` share: the keys that name a DNS server and a name to ask for. */
import { z } from "zod";
import { isIp, parseHostPort } from "../lib/address.ts";
import { DiscoveryError } from "../lib/errors.ts";
import type { DnsClient, DnsProtocol } from "../lib/net/dns/client.ts";
import { faultOfName } from "../lib/net/dns/name.ts";
import { systemAddresses } from "../lib/net/dns/system.ts";

/** A name to ask for. */
export function dnsName(example: string): z.ZodType<string, string> {
  return z.string({ error: missing(example) }).superRefine((name, context) => {
    const message = name === "" ? `is empty\nfor example ${example}` : faultOfName(name);
    if (message !== undefined) context.addIssue({ code: "custom", message });
  });
}

/** A DNS server as `host:port`. */
export function dnsServer(example: string): z.ZodType<string, string> {
  return z.string({ error: missing(example) }).superRefine((server, context) => {
    const message = server === "" ? `is empty\nfor example ${example}` : faultOfServer(server);
    if (message !== undefined) context.addIssue({ code: "custom", message });
  });
}

function missing(example: string): z.core.$ZodErrorMap {
  return ({ input }) => input === undefined ? `is missing\nfor example ${example}` : undefined;
}

function faultOfServer(server: string): string | undefined {
  const parsed = parseHostPort(server);
  if (typeof parsed === "string") return parsed;
  const { host, port } = parsed;
  const shown = JSON.stringify(server);
  if (host === "") return `${shown} has no host\nwrite host:port, for example "127.0.0.1:${port}"`;
  if (port === 0) return `${shown} has no valid port\nDNS servers listen on port 53 as a rule`;
  return isIp(host) ? undefined : faultOfName(host);
}

/** A client of one server, whose name this host resolves anew each time. @throws DiscoveryError when it can't. */
export async function clientOf(
  server: string,
  protocol: DnsProtocol,
  signal: AbortSignal,
): Promise<DnsClient> {
  const parsed = parseHostPort(server);
  if (typeof parsed === "string") throw new DiscoveryError(parsed); // the configuration's check has seen it
  const { host, port } = parsed;
  if (isIp(host)) return { servers: [{ address: host, port }], protocol };
  const { addresses } = await systemAddresses(host, "any", signal);
  if (addresses.length === 0) {
    throw new DiscoveryError(`the DNS server's own name "${host}" has no address`);
  }
  return { servers: addresses.map((address) => ({ address, port })), protocol };
}
