/**
 * A configuration in gobetween's spelling, normalised the way its API shows it: clients depend on the order of the
 * fields, and on null where a section is absent. Our own keys come last, and only where they were given.
 */
import type { DiscoverySpec, Section } from "../model.ts";
import { gobetweenChecks, gobetweenDiscoveries, type KeyGroup } from "./legacy.ts";
import { valueOf } from "./kind.ts";
import type { Table } from "./read.ts";
import type { ReadPool } from "./pool.ts";
import * as schema from "./schema.ts";

/** A section of known keys in their order, null where one was not given. */
export function showKeys(given: Table, keys: readonly string[], absent: unknown = null): Section {
  return Object.fromEntries(keys.map((key) => [key, given[key] ?? absent]));
}

/** The keys that were given and aren't in the section yet, in their own order. */
export function withOthers(shown: Section, given: Table, keys: readonly string[]): Section {
  const others = keys.filter((key) => given[key] !== undefined && !Object.hasOwn(shown, key));
  return { ...shown, ...Object.fromEntries(others.map((key) => [key, given[key]])) };
}

/** A discovery: the common keys, then those of each of gobetween's kinds of which one was given, then ours. */
export function showDiscovery(spec: DiscoverySpec, given: Table, raw: Table): Section {
  const interval = spec.intervalMs === 0 ? "0" : "10s";
  const shown = {
    kind: spec.kind,
    failpolicy: spec.failpolicy,
    interval: given["interval"] ?? interval,
    timeout: given["timeout"] ?? "0",
    ...groups(gobetweenDiscoveries, raw),
  };
  return withOthers(shown, given, Object.keys(given));
}

/** A check; without one, the same that gobetween shows. */
export function showCheck(given: Table, raw: Table): Section {
  const least1 = (value: unknown) => Math.max(1, typeof value === "number" ? value : 1);
  const shown = {
    kind: given["kind"] ?? "none",
    interval: given["interval"] ?? "0",
    passes: least1(given["passes"]),
    fails: least1(given["fails"]),
    timeout: given["timeout"] ?? "0",
    initial_status: given["initial_status"] ?? null,
    ...groups(gobetweenChecks, raw),
  };
  if ("exec_command" in shown && shown["exec_command"] === "") delete shown["exec_command"];
  return withOthers(shown, given, Object.keys(given));
}

/** All keys of a kind as soon as one of them was given, with gobetween's zero values. */
function groups(kinds: Readonly<Record<string, KeyGroup>>, raw: Table): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  for (const group of Object.values(kinds)) {
    const keys = Object.entries(group);
    if (!keys.some(([key]) => valueOf(raw, key) !== undefined)) continue;
    for (const [key, absent] of keys) shown[key] = fitting(valueOf(raw, key), absent) ?? absent;
  }
  return shown;
}

/** A value of the key's own type: keys of kinds that weren't chosen haven't been judged. */
function fitting(value: unknown, absent: unknown): unknown {
  const strings = Array.isArray(value) && value.every((element) => typeof element === "string");
  return strings || typeof value === "string" || typeof value === typeof absent ? value : undefined;
}

const CONNECTION_KEYS = Object.keys(schema.defaults.keys);

/** `[defaults]` as loaded. */
export function showDefaults(given: Table): Section {
  return showKeys(given, CONNECTION_KEYS);
}

/** A server. `pool` is what its own keys make; absent when it names a pool. */
export function showServer(given: Table, defaults: Table, pool: ReadPool | undefined): Section {
  const access = given["access"] as Table | undefined;
  const shown = {
    max_connections: given["max_connections"] ?? defaults["max_connections"] ?? 0,
    ...Object.fromEntries(
      CONNECTION_KEYS.slice(1).map((key) => [key, given[key] ?? defaults[key] ?? "0"]),
    ),
    bind: given["bind"],
    protocol: given["protocol"] ?? "tcp",
    balance: pool?.balance ?? null,
    ...showKeys(given, ["sni", "tls", "backends_tls", "udp"]),
    access: access === undefined
      ? null
      : { default: access["default"] ?? "allow", rules: access["rules"] ?? null },
    proxy_protocol: given["proxy_protocol"] ?? null,
    discovery: pool?.discovery ?? null,
    healthcheck: pool?.healthcheck ?? null,
  };
  return withOthers(shown, given, [...Object.keys(schema.server.keys), "routes"]);
}

/** A named pool, in the order of a server's keys. */
export function showPool(pool: ReadPool): Section {
  return { balance: pool.balance, discovery: pool.discovery, healthcheck: pool.healthcheck };
}
