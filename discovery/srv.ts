import { z } from "zod";
import { DiscoveryError, messageOf } from "../lib/errors.ts";
import type { DiscoveryContext, DiscoveryKind } from "../lib/kinds.ts";
import { type Backend, backendKey, MAX_LISTED } from "../lib/model.ts";
import { addressesAmong, addressesOf } from "../lib/net/dns/addresses.ts";
import { type DnsClient, DnsError, resolve } from "../lib/net/dns/client.ts";
import type { RecordOf } from "../lib/net/dns/follow.ts";
import type { DnsRecord } from "../lib/net/dns/message.ts";
import { faultOfName } from "../lib/net/dns/name.ts";
import { clientOf, dnsName, dnsServer } from "./_dns_server.ts";

/** The keys of `srv`. */
export type SrvOptions = {
  readonly srv_lookup_server: string;
  readonly srv_lookup_pattern: string;
  readonly srv_dns_protocol: "udp" | "tcp";
};

/** The addresses of each target. */
type TargetAddresses = ReadonlyMap<string, readonly string[]>;

/** Targets whose addresses are asked for at the same time. */
const AT_ONCE = 16;

/**
 * Backends from SRV records. Priority and weight mean in DNS what they mean here, so they are taken as they are: priority 0
 * comes before 1; weight 0 gets nothing while another of the same priority has more, and an even share where all have 0.
 */
export const srv: DiscoveryKind<SrvOptions> = {
  name: "srv",
  summary: "Backends from the SRV records of a name, with their priorities and weights.",
  example: `srv_lookup_server = "127.0.0.1:8600"
srv_lookup_pattern = "_web._tcp.example.com"`,
  shape: {
    srv_lookup_server: dnsServer('srv_lookup_server = "127.0.0.1:8600"')
      .describe("The DNS server to ask, `host:port`."),
    srv_lookup_pattern: dnsName('srv_lookup_pattern = "_web._tcp.example.com"')
      .describe("The whole name whose SRV records are the backends."),
    srv_dns_protocol: z.enum(["udp", "tcp"])
      .describe("How to ask; udp turns to tcp where an answer is too long for it.").default("udp"),
  },
  async find({ srv_lookup_server, srv_lookup_pattern, srv_dns_protocol }, context) {
    const { signal, skip } = context;
    const client = await clientOf(srv_lookup_server, srv_dns_protocol, signal);
    const { records, additional } = await resolve(client, srv_lookup_pattern, "SRV", signal);
    const rows = usable(records, skip);
    if (rows.length === 0 && records.some(({ target }) => target !== "")) {
      throw new DiscoveryError(`none of the records of "${srv_lookup_pattern}" can be used`);
    }
    const addresses = await addressesOfTargets(client, rows, additional, context);
    if (rows.length > 0 && addresses.size === 0) {
      throw new DiscoveryError(`none of the targets of "${srv_lookup_pattern}" has an address`);
    }
    return backendsOf(rows, addresses);
  },
};

/** The records that name something to dial. */
export function usable(
  records: readonly RecordOf<"SRV">[],
  skip: DiscoveryContext["skip"],
): RecordOf<"SRV">[] {
  return records.filter(({ port, target }) => {
    const why = target === ""
      ? "the target . means that there is no such service"
      : port === 0
      ? "port 0 can't be dialled"
      : faultOfName(target) !== undefined
      ? "no host has such a name"
      : undefined;
    if (why !== undefined) skip(`${target || "."}:${port}`, why);
    return why === undefined;
  });
}

/**
 * Each address of each target as a backend, sorted: servers turn their answers round. Where two records give the same
 * address and port, the lower priority counts, then the higher weight. Pure.
 */
export function backendsOf(
  rows: readonly RecordOf<"SRV">[],
  addresses: TargetAddresses,
): Backend[] {
  const found = new Map<string, Backend>();
  const preferred = [...rows].sort((a, b) =>
    a.priority - b.priority || b.weight - a.weight || compare(a.target, b.target)
  );
  for (const { target, port, priority, weight } of preferred) {
    for (const host of addresses.get(target) ?? []) {
      if (found.size > MAX_LISTED) break; // more aren't taken
      const backend = { host, port, weight, priority, maxConnections: 0, sni: target };
      const key = backendKey(backend);
      if (!found.has(key)) found.set(key, backend);
    }
  }
  return [...found].sort(([a], [b]) => compare(a, b)).map(([, backend]) => backend);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** From what the server told beside, else asked of it. A target without an address is skipped: the others serve. */
async function addressesOfTargets(
  client: DnsClient,
  rows: readonly RecordOf<"SRV">[],
  additional: readonly DnsRecord[],
  { signal, skip }: DiscoveryContext,
): Promise<TargetAddresses> {
  const found = new Map<string, readonly string[]>();
  const known = Map.groupBy(additional, ({ name }) => name);
  await forEach(new Set(rows.map(({ target }) => target)), signal, async (target, signal) => {
    try {
      const told = addressesAmong(known.get(target) ?? [], target);
      const addresses = told.length > 0
        ? told
        : (await addressesOf(client, target, "any", signal)).addresses;
      if (addresses.length > 0) found.set(target, addresses);
      else skip(target, "it has no address");
    } catch (error) {
      if (!(error instanceof DnsError)) throw error; // nobody answers: the last list is better than half of one
      skip(target, messageOf(error));
    }
  });
  return found;
}

/** Does the task for each, some at a time. The first failure ends the others, and is thrown when they have ended. */
async function forEach<T>(
  items: Iterable<T>,
  outer: AbortSignal,
  task: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failed = new AbortController();
  const signal = AbortSignal.any([outer, failed.signal]);
  const queue = [...items].values();
  let failure: unknown;
  const work = async () => {
    for (const item of queue) { // shared by all: each is taken once
      if (failed.signal.aborted) return;
      try {
        await task(item, signal);
      } catch (error) {
        failure ??= error;
        failed.abort();
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  if (failed.signal.aborted) throw failure;
}
