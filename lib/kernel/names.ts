/** What things in the kernel are called. Pure. */
import { parseIPv4 } from "../address.ts";
import type { Member, ServerTable } from "../model.ts";

/** What our tables' names begin with; nothing else in the kernel is ours. */
export const TABLE_PREFIX = "twixt_";

/** Clients that access rules keep out. */
export const DENIED_COUNTER = "denied";
/** Clients for whom nobody was usable. */
export const NO_BACKEND_COUNTER = "no_backend";

/** What all addresses are called. */
const ALL: Readonly<Record<string, string>> = { "::": "any", "0.0.0.0": "any4" };

/** The table of a server: the same for every process that serves on this address. */
export function tableName(
  { protocol, hostname, port }: Pick<ServerTable, "protocol" | "hostname" | "port">,
): string {
  return `${TABLE_PREFIX}${protocol}_${port}_${ALL[hostname] ?? word(hostname)}`;
}

/** What a table's name says of its server; undefined where it isn't such a name. */
export function parseTableName(
  name: string,
): Pick<ServerTable, "protocol" | "port"> | undefined {
  const [, protocol, port] = /^twixt_(tcp|udp)_(\d+)_/.exec(name) ?? [];
  return port === undefined
    ? undefined
    : { protocol: protocol as ServerTable["protocol"], port: Number(port) };
}

/** Where a backend is. */
export type Place = Pick<Member, "address" | "port">;

/** The chain of a backend, and the end of its counters' names. */
export function backendName({ address, port }: Place): string {
  return `to_${word(address)}_${port}`;
}

/** The backends that a table's counters tell of. */
export function backendsIn(counts: ReadonlyMap<string, unknown>): Place[] {
  return [...counts.keys()].map((name) => /^sessions_to_(.+)_(\d+)$/.exec(name))
    .filter((found) => found !== null)
    .map(([, word = "", port]) => ({
      address: parseIPv4(word) >= 0 ? word : word.replaceAll(".", ":"),
      port: Number(port),
    }));
}

function word(address: string): string {
  return address.replaceAll(/[^0-9a-zA-Z.]/g, ".");
}
