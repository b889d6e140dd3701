import dns from "node:dns";
import type { Addresses } from "./dns/addresses.ts";
import { systemAddresses } from "./dns/system.ts";

/** How long an answer holds that comes without a TTL: from the hosts file or the system. */
const LOCAL_TTL_MS = 30_000;

/**
 * The addresses of a name as this host sees them: its hosts file, then DNS with the records' TTL, then whatever else the
 * system is set up for (NSS). IPv4 addresses where there are any, else IPv6, so that a name like `localhost` isn't two
 * backends.
 *
 * @throws Error when the name has no address, or nobody answers.
 */
export async function lookup(host: string, signal: AbortSignal): Promise<Addresses> {
  try {
    const { addresses, ttlMs } = await systemAddresses(host, "any", signal);
    if (addresses.length > 0) {
      return { addresses, ttlMs: ttlMs === Infinity ? LOCAL_TTL_MS : ttlMs };
    }
  } catch (error) {
    if (signal.aborted) throw error;
  }
  return await fromSystem(host); // its error is the better one: it has tried everything
}

async function fromSystem(host: string): Promise<Addresses> {
  const all = await dns.promises.lookup(host, { all: true });
  const v4 = all.filter((entry) => entry.family === 4);
  const addresses = (v4.length > 0 ? v4 : all).map((entry) => entry.address);
  if (addresses.length === 0) throw new Error("the name has no address");
  return { addresses, ttlMs: LOCAL_TTL_MS };
}
