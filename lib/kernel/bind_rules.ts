/** Which packets are a server's. Pure. */
import type { ServerTable } from "../model.ts";
import {
  carriedBy,
  FAMILIES,
  type Family,
  familyOf,
  field,
  forThisHost,
  type Json,
  match,
  ofFamily,
} from "./expressions.ts";

/** Every address of both families, and every IPv4 address. */
const ANY = "::";
const ANY_IPV4 = "0.0.0.0";

/** Where this host speaks to itself. */
const LOOPBACK: Readonly<Record<Family, Json>> = {
  ip: { prefix: { addr: "127.0.0.0", len: 8 } },
  ip6: "::1",
};

/** The versions of IP in which a server listens. */
export function familiesOf({ hostname }: Pick<ServerTable, "hostname">): readonly Family[] {
  if (hostname === ANY) return FAMILIES;
  return [hostname === ANY_IPV4 ? "ip" : familyOf(hostname)];
}

/** Its one address; undefined where it listens on all. */
export function addressOf({ hostname }: Pick<ServerTable, "hostname">): string | undefined {
  return hostname === ANY || hostname === ANY_IPV4 ? undefined : hostname.split("%")[0]!;
}

/**
 * What says that a packet is for a server, a list of conditions for each way to say it.
 *
 * @param way Packets that arrive, or that leave a program of this host. The latter can't reach a server on all addresses
 * by way of loopback: answers from elsewhere to a loopback address are dropped by the kernel.
 */
export function listening(server: ServerTable, way: "arriving" | "leaving"): Json[][] {
  const port = [
    carriedBy(server.protocol),
    match(field(server.protocol, "dport"), server.port),
  ];
  const address = addressOf(server);
  if (address !== undefined) {
    return [[match(field(familyOf(address), "daddr"), address), ...port]];
  }
  const families = familiesOf(server);
  if (way === "arriving") {
    const only = families.length === 1 ? [ofFamily(families[0]!)] : [];
    return [[...only, ...port, forThisHost]];
  }
  return families.map((family) => [
    match(field(family, "daddr"), LOOPBACK[family], "!="),
    ...port,
    forThisHost,
  ]);
}

/** What says that a packet is of a connection that a server's rules have led elsewhere; the backend's address is to be compared, too. */
export function ofOurs(server: ServerTable): Json[] {
  const { protocol, port } = server;
  const address = addressOf(server);
  const original = (key: string): Json => ({ ct: { key, dir: "original" } });
  return [
    carriedBy(protocol),
    match({ ct: { key: "status" } }, "dnat", "in"),
    ...address === undefined ? [] : [match(original(`${familyOf(address)} daddr`), address)],
    match(original("proto-dst"), port),
  ];
}
