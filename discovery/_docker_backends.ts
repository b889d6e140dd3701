/** What Docker's answers say, and which backends that makes. Pure: values in, values out. */
import { z } from "zod";
import { isIp, parseHostPort, printHostPort } from "../lib/address.ts";
import type { Backend } from "../lib/model.ts";

/** A container, or a task of a service, that runs. */
export type Instance = {
  /** The container's id; empty for a task. */
  readonly id: string;
  /** What it is called in messages. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly mappings: readonly Mapping[];
  /** Its networks in the daemon's order; those in which it has no address are left out. */
  readonly networks: readonly Network[];
  /** Where ports are that it publishes on all addresses. */
  readonly node: string;
  /** `NAME=value`, as far as it is known. */
  readonly env: readonly string[];
};

/** A port of an instance. Without `publicPort` it isn't published. */
export type Mapping = {
  readonly ip: string;
  readonly privatePort: number;
  readonly publicPort: number;
  readonly protocol: string;
};

/** A network that an instance is in. */
export type Network = { readonly name: string; readonly id: string; readonly address: string };

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

/** Tells of an entry that is skipped. */
export type Skip = (entry: string, why: string) => void;

const labels = z.record(z.string(), z.string()).nullish();
const port = z.int().min(0).max(65535).nullish();

const container = z.object({
  Id: z.string().min(1),
  Names: z.array(z.string()).nullish(),
  State: z.string().nullish(),
  Labels: labels,
  Ports: z.array(z.object({
    IP: z.string().nullish(),
    PrivatePort: port,
    PublicPort: port,
    Type: z.string().nullish(),
  })).nullish(),
  NetworkSettings: z.object({
    Networks: z.record(
      z.string(),
      z.object({
        NetworkID: z.string().nullish(),
        IPAddress: z.string().nullish(),
        GlobalIPv6Address: z.string().nullish(),
      }).nullable(),
    ).nullish(),
  }).nullish(),
});

const task = z.object({
  ID: z.string().min(1),
  Slot: z.int().nullish(),
  NodeID: z.string().nullish(),
  Status: z.object({
    State: z.string(),
    PortStatus: z.object({
      Ports: z.array(z.object({
        Protocol: z.string().nullish(),
        TargetPort: port,
        PublishedPort: port,
        PublishMode: z.string().nullish(),
      })).nullish(),
    }).nullish(),
  }),
  Spec: z.object({
    ContainerSpec: z.object({ Labels: labels, Env: z.array(z.string()).nullish() }).nullish(),
  }).nullish(),
  NetworksAttachments: z.array(z.object({
    Network: z.object({
      ID: z.string().nullish(),
      Spec: z.object({ Name: z.string().nullish(), Ingress: z.boolean().nullish() }).nullish(),
    }),
    Addresses: z.array(z.string()).nullish(),
  })).nullish(),
});

/** The containers of `GET /containers/json` that run. A paused one takes connections and never answers. */
export function containersIn(
  rows: readonly unknown[],
  host: string,
  skip: Skip,
): readonly Instance[] {
  return rows.flatMap((row, index): readonly Instance[] => {
    const { data } = container.safeParse(row);
    if (data === undefined) return skipped(skip, nameOf(row, index), "it is no container");
    const name = data.Names?.[0]?.replace(/^\//, "") ?? data.Id.slice(0, 12);
    if (data.State && data.State !== "running") return skipped(skip, name, `it is ${data.State}`);
    const networks = Object.entries(data.NetworkSettings?.Networks ?? {}).map(([name, one]) => ({
      name,
      id: one?.NetworkID ?? "",
      address: one?.IPAddress || one?.GlobalIPv6Address || "",
    }));
    return [{
      id: data.Id,
      name,
      labels: data.Labels ?? {},
      mappings: (data.Ports ?? []).map((one) => ({
        ip: one.IP ?? "",
        privatePort: one.PrivatePort ?? 0,
        publicPort: one.PublicPort ?? 0,
        protocol: one.Type ?? "tcp",
      })),
      networks: networks.filter(({ address }) => isIp(address)),
      node: host,
      env: [],
    }];
  });
}

/**
 * The tasks of `GET /tasks` that run: those of one service, whose labels they inherit. `nodes` are addresses by node
 * id. One that is still on its way isn't worth a word.
 */
export function tasksIn(
  rows: readonly unknown[],
  service: { readonly name: string; readonly labels: Readonly<Record<string, string>> },
  nodes: ReadonlyMap<string, string>,
  skip: Skip,
): readonly Instance[] {
  return rows.flatMap((row, index): readonly Instance[] => {
    const { data } = task.safeParse(row);
    if (data === undefined) return skipped(skip, nameOf(row, index), "it is no task");
    if (data.Status.State !== "running") return [];
    const { ContainerSpec: spec } = data.Spec ?? {};
    const networks = (data.NetworksAttachments ?? [])
      .filter(({ Network }) => Network.Spec?.Ingress !== true) // nobody but the routing mesh uses it
      .map(({ Network, Addresses }) => ({
        name: Network.Spec?.Name ?? "",
        id: Network.ID ?? "",
        address: (Addresses?.[0] ?? "").replace(/\/\d+$/, ""),
      }));
    return [{
      id: "",
      name: `${service.name}.${data.Slot ?? data.NodeID ?? ""}.${data.ID}`,
      labels: { ...service.labels, ...spec?.Labels },
      mappings: (data.Status.PortStatus?.Ports ?? [])
        .filter(({ PublishMode }) => PublishMode === "host")
        .map((one) => ({
          ip: "",
          privatePort: one.TargetPort ?? 0,
          publicPort: one.PublishedPort ?? 0,
          protocol: one.Protocol ?? "tcp",
        })),
      networks: networks.filter(({ address }) => isIp(address)),
      node: nodes.get(data.NodeID ?? "") ?? "",
      env: spec?.Env ?? [],
    }];
  });
}

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

/** Counters and limits are 32-bit cells. */
const MAX_NUMBER = 2 ** 31 - 1;
type Labelled = Pick<Backend, "weight" | "priority" | "maxConnections" | "sni">;

/** What labels say of a backend; a string says which is wrong. */
export function labelled(labels: Readonly<Record<string, string>>): Labelled | string {
  const wrong: string[] = [];
  const number = (name: string, other: number): number => {
    const text = labels[name];
    if (text === undefined) return other;
    if (/^\d{1,10}$/.test(text) && Number(text) <= MAX_NUMBER) return Number(text);
    wrong.push(`its label ${name} is ${JSON.stringify(text.slice(0, 40))}, no number from 0`);
    return other;
  };
  const sni = labels["twixt.sni"] ?? labels["sni"] ?? "";
  if (/\s/.test(sni)) wrong.push("its label sni has a blank in it");
  const found = {
    weight: number("twixt.weight", 1),
    priority: number("twixt.priority", 1),
    maxConnections: number("twixt.max_connections", 0),
    sni,
  };
  return wrong[0] ?? found;
}

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

function skipped(skip: Skip, entry: string, why: string): readonly never[] {
  skip(entry, why);
  return [];
}

function nameOf(row: unknown, index: number): string {
  const { Id, ID } = (row ?? {}) as { Id?: unknown; ID?: unknown };
  const id = Id ?? ID;
  return typeof id === "string" && id !== "" ? id.slice(0, 12) : `entry ${index + 1}`;
}
