import dns from "node:dns";
import { isIP } from "node:net";
import type { Family } from "./dns/addresses.ts";
import type { Answer } from "./names.ts";

/** How long an answer holds that comes without a TTL: from the hosts file or the system. */
const LOCAL_TTL_MS = 30_000;
const HOSTS_FILE = "/etc/hosts";

/**
 * The addresses of a name as this host sees them: its hosts file, then DNS with the records' TTL, then
 * whatever else the system is set up for (search domains, NSS). IPv4 addresses where there are any,
 * else IPv6, so that a name like `localhost` isn't two backends.
 *
 * @throws Error when the name has no address, or nobody answers.
 */
export async function lookup(host: string): Promise<Answer> {
  const local = fromHosts(await hostsFile(), host);
  if (local.length > 0) return { addresses: local, ttlMs: LOCAL_TTL_MS };
  if (host === "localhost") return { addresses: ["127.0.0.1"], ttlMs: LOCAL_TTL_MS };
  try {
    return await fromDns(host);
  } catch {
    return await fromSystem(host); // its error is the better one: it has tried everything
  }
}

/** The addresses that a hosts file gives a name: by default IPv4 ones, or IPv6 where there is no other. Pure. */
export function fromHosts(text: string, host: string, family: Family = "any"): string[] {
  const wanted = host.toLowerCase();
  const found = text.split("\n")
    .map((line) => line.replace(/#.*/, "").trim().split(/\s+/))
    .filter(([address, ...names]) =>
      isIP(address ?? "") !== 0 && names.some((name) => name.toLowerCase() === wanted)
    )
    .map(([address]) => address!);
  const [v4, v6] = [4, 6].map((version) => found.filter((address) => isIP(address) === version));
  const wantsV4 = family === "any" ? v4!.length > 0 : family === "ipv4";
  return [...new Set(wantsV4 ? v4 : v6)];
}

/** The hosts file's text; empty where there is none. */
export async function hostsFile(): Promise<string> {
  try {
    return await Deno.readTextFile(HOSTS_FILE);
  } catch {
    return ""; // not every system has one
  }
}

async function fromDns(host: string): Promise<Answer> {
  const resolver = new dns.promises.Resolver({ timeout: 2_000, tries: 2 });
  const records = await resolver.resolve4(host, { ttl: true })
    .catch(() => resolver.resolve6(host, { ttl: true }));
  if (records.length === 0) throw new Error("the name has no address");
  const ttl = Math.min(...records.map((record) => record.ttl ?? LOCAL_TTL_MS / 1000));
  return { addresses: records.map((record) => record.address), ttlMs: ttl * 1000 };
}

async function fromSystem(host: string): Promise<Answer> {
  const all = await dns.promises.lookup(host, { all: true });
  const v4 = all.filter((entry) => entry.family === 4);
  const addresses = (v4.length > 0 ? v4 : all).map((entry) => entry.address);
  if (addresses.length === 0) throw new Error("the name has no address");
  return { addresses, ttlMs: LOCAL_TTL_MS };
}
