/** Which backends containers and tasks make. Pure: values in, values out. */
import { parseHostPort, printHostPort } from "../lib/address.ts";
import type { Backend } from "../lib/model.ts";
import { type Instance, type Skip, skipped } from "./_docker_answers.ts";
import { labelled } from "./_labels.ts";

/** What is wanted of an instance. */
export type Wanted = {
  readonly privatePort: number;
  readonly protocol: string;
  /** `network` takes the address in a network in place of the published port. */
  readonly address: "published" | "network";
  /** Name or id; empty for the first. */
  readonly network: string;
  /** The operator has named the instances by label or service, so they have the port even where they don't say so. */
  readonly named: boolean;
  /** Variable of the instance that names its host; empty for none. */
  readonly hostVariable: string;
};

/** The backends of one instance: one for each way that its port is published, or one for its address in a network. */
export function backendsOf(instance: Instance, wanted: Wanted, skip: Skip): readonly Backend[] {
  const places = wanted.address === "network"
    ? placeInNetwork(instance, wanted)
    : publishedPlaces(instance, wanted);
  if (typeof places === "string") return skipped(skip, instance.name, places);
  const more = labelled(instance.labels);
  if (typeof more === "string") return skipped(skip, instance.name, more);
  const own = variable(instance.env, wanted.hostVariable);
  const found = new Map<string, Backend>();
  for (const { host, port } of places) {
    const parsed = parseHostPort(printHostPort(own ? own.replace(/^\[|\]$/g, "") : host, port));
    if (typeof parsed === "string" || parsed.host === "" || parsed.port === 0) {
      skip(instance.name, `${JSON.stringify(own || host)} is no host`);
    } else found.set(`${parsed.host} ${port}`, { ...parsed, ...more });
  }
  return [...found.values()];
}

type Place = { readonly host: string; readonly port: number };

function placeInNetwork(
  { networks, mappings }: Instance,
  { network, privatePort, named }: Wanted,
): string | readonly Place[] {
  if (!named && !mappings.some((one) => one.privatePort === privatePort)) {
    return `it doesn't expose port ${privatePort}; label the containers that have it, ` +
      "and name the label in docker_container_label";
  }
  const one = networks.find(({ name, id }) => network === "" || name === network || id === network);
  if (one !== undefined) return [{ host: one.address, port: privatePort }];
  return network === "" ? "it has no address in any network" : `it isn't in network "${network}"`;
}

function publishedPlaces(instance: Instance, wanted: Wanted): string | readonly Place[] {
  const { privatePort, protocol } = wanted;
  const mappings = instance.mappings.filter((one) =>
    one.privatePort === privatePort && one.protocol === protocol && one.publicPort > 0
  );
  if (mappings.length === 0) {
    return `its port ${privatePort}/${protocol} isn't published on its host; publish it, ` +
      'or take its own address by docker_address = "network"';
  }
  const v4 = mappings.filter(({ ip }) => !ip.includes(":"));
  const everywhere = v4.some(({ ip }) => isEverywhere(ip));
  const v6 = mappings.filter(({ ip, publicPort }) =>
    ip.includes(":") && !(everywhere && isEverywhere(ip)) &&
    !v4.some((one) => one.publicPort === publicPort)
  );
  return [...v4, ...v6].map(({ ip, publicPort }) => ({
    host: !isEverywhere(ip) ? ip : ip === "::" && instance.node === "127.0.0.1"
      ? "::1" // published for IPv6 alone
      : instance.node,
    port: publicPort,
  }));
}

const isEverywhere = (ip: string): boolean => ip === "" || ip === "0.0.0.0" || ip === "::";

/** The value of a variable; empty when it isn't set, or has no name. */
export function variable(env: readonly string[], name: string): string {
  if (name === "") return "";
  return env.find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1).trim() ?? "";
}

/** Does an instance have this label: `key`, or `key=value`? */
export function hasLabel(labels: Readonly<Record<string, string>>, label: string): boolean {
  const [, key = "", value] = /^([^=]*)(?:=(.*))?$/s.exec(label) ?? [];
  return Object.hasOwn(labels, key) && (value === undefined || labels[key] === value);
}
