/** Names as this host sees them: its hosts file, then the DNS servers of its resolv.conf, with their search domains. */
import { isIp } from "../../address.ts";
import { DiscoveryError } from "../../errors.ts";
import { type Addresses, addressesOf, type Family } from "./addresses.ts";
import { type DnsClient, DnsError, type DnsServerAddress } from "./client.ts";
import { fromHosts, hostsFile } from "./hosts.ts";

/** What a resolv.conf says, as far as it is used here. */
export type ResolvConf = {
  readonly servers: readonly DnsServerAddress[];
  /** Domains to try a short name in. */
  readonly search: readonly string[];
  /** Dots that a name needs to be tried as it is first. */
  readonly ndots: number;
};

const RESOLV_CONF = "/etc/resolv.conf";
const DNS_PORT = 53;
/** As the system's own resolver has it. */
const MAX_SERVERS = 3;
const MAX_SEARCH = 6;
const MAX_NDOTS = 15;

/** The addresses of a name. @throws DiscoveryError when it doesn't exist, or nobody answers. */
export async function systemAddresses(
  host: string,
  family: Family,
  signal: AbortSignal,
): Promise<Addresses> {
  const local = fromHosts(await hostsFile(), host.replace(/\.$/, ""), family);
  if (local.length > 0) return { addresses: local, ttlMs: Infinity };
  if (host.toLowerCase() === "localhost") {
    return { addresses: [family === "ipv6" ? "::1" : "127.0.0.1"], ttlMs: Infinity };
  }
  const conf = parseResolvConf(await textOf(RESOLV_CONF));
  if (conf.servers.length === 0) {
    throw new DiscoveryError(
      `there is no DNS server to ask for "${host}": ${RESOLV_CONF} names none`,
    );
  }
  const client: DnsClient = { servers: conf.servers, protocol: "udp" };
  let empty: Addresses | undefined;
  let failure: unknown;
  for (const name of candidates(host, conf)) {
    try {
      const found = await addressesOf(client, name, family, signal);
      if (found.addresses.length > 0) return found;
      empty ??= found;
    } catch (error) {
      if (!(error instanceof DnsError) || error.rcode !== "NXDOMAIN") throw error;
      failure ??= error;
    }
  }
  if (empty !== undefined) return empty;
  throw failure;
}

/** Reads a resolv.conf, of which unknown lines are passed over. Pure. */
export function parseResolvConf(text: string): ResolvConf {
  const servers: DnsServerAddress[] = [];
  let search: string[] = [];
  let ndots = 1;
  for (const line of text.split("\n")) {
    const [word, ...values] = line.replace(/[#;].*/, "").trim().split(/\s+/);
    const [first = ""] = values;
    if (word === "nameserver" && isIp(first)) servers.push({ address: first, port: DNS_PORT });
    else if (word === "search" || word === "domain") search = values;
    else if (word === "options") {
      const given = values.map((value) => /^ndots:(\d{1,3})$/.exec(value)?.[1]).findLast(Boolean);
      if (given !== undefined) ndots = Math.min(MAX_NDOTS, Number(given));
    }
  }
  return { servers: servers.slice(0, MAX_SERVERS), search: search.slice(0, MAX_SEARCH), ndots };
}

/** The absolute names that a name may mean, in the order of trying. One with a dot at its end means itself. Pure. */
export function candidates(host: string, { search, ndots }: ResolvConf): string[] {
  if (host.endsWith(".")) return [host];
  const within = search.map((domain) => `${host}.${domain}`);
  return host.split(".").length > ndots ? [host, ...within] : [...within, host];
}

async function textOf(file: string): Promise<string> {
  try {
    return await Deno.readTextFile(file);
  } catch {
    return ""; // not every system has one
  }
}
