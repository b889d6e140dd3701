/** What Docker's answers say of containers and tasks. Pure: values in, values out. */
import { z } from "zod";
import { isIp } from "../lib/address.ts";
import { printable } from "../lib/errors.ts";

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
    ContainerStatus: z.object({ ContainerID: z.string().nullish() }).nullish(),
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
    const name = shown(data.Names?.[0]?.replace(/^\//, "") ?? data.Id.slice(0, 12));
    if (data.State && data.State !== "running") {
      return skipped(skip, name, `it is ${shown(data.State)}`);
    }
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

/** What is known of a service beside its tasks. */
export type Service = {
  readonly name: string;
  /** What its tasks inherit. */
  readonly labels: Readonly<Record<string, string>>;
  /** Ports that the operator has chosen to publish; the others are random. */
  readonly ports: readonly number[];
  /** Addresses of nodes by their id. */
  readonly nodes: ReadonlyMap<string, string>;
  /** Those of its containers that the daemon itself runs. */
  readonly containers: readonly Instance[];
};

/** The tasks of `GET /tasks` that run. One that is still on its way isn't worth a word. */
export function tasksIn(
  rows: readonly unknown[],
  service: Service,
  skip: Skip,
): readonly Instance[] {
  return rows.flatMap((row, index): readonly Instance[] => {
    const { data } = task.safeParse(row);
    if (data === undefined) return skipped(skip, nameOf(row, index), "it is no task");
    if (data.Status.State !== "running") return [];
    const name = shown(`${service.name}.${data.Slot ?? data.NodeID ?? ""}.${data.ID}`);
    const mappings = mappingsOf(data, service);
    if (typeof mappings === "string") return skipped(skip, name, mappings);
    const { ContainerSpec: spec } = data.Spec ?? {};
    const networks = (data.NetworksAttachments ?? [])
      .filter(({ Network }) => Network.Spec?.Ingress !== true) // nobody but the routing mesh uses it
      .map(({ Network, Addresses }) => ({
        name: Network.Spec?.Name ?? "",
        id: Network.ID ?? "",
        address: (Addresses?.[0] ?? "").replace(/\/\d+$/, ""),
      }));
    return [{
      ...{ id: "", name, mappings, env: spec?.Env ?? [] },
      labels: { ...service.labels, ...spec?.Labels },
      networks: networks.filter(({ address }) => isIp(address)),
      node: service.nodes.get(data.NodeID ?? "") ?? "",
    }];
  });
}

/**
 * What a task publishes in host mode. A random port may be one for IPv4 and another for IPv6, and the swarm doesn't tell
 * which is which: on IPv4 the other may be another task's. The container's own daemon does.
 */
function mappingsOf(
  { Status }: z.infer<typeof task>,
  { ports, containers }: Service,
): readonly Mapping[] | string {
  const id = Status.ContainerStatus?.ContainerID ?? "";
  const own = containers.find((one) => one.id === id);
  if (own !== undefined) return own.mappings;
  const told = (Status.PortStatus?.Ports ?? []).filter((one) => one.PublishMode === "host");
  const chosen = told.filter((one) => ports.includes(one.PublishedPort ?? 0));
  const random = told.filter((one) => !chosen.includes(one)).map((one) => ({
    key: `${one.TargetPort}/${one.Protocol}`,
    port: one.PublishedPort,
  }));
  for (const { key, port } of random) {
    if (random.some((other) => other.key === key && other.port !== port)) {
      return `nobody tells which of its random ports for ${
        shown(key)
      } is that for IPv4; publish a port ` +
        "of your choice, as in mode=host,target=80,published=8080";
    }
  }
  return told.map((one) => ({
    ip: "",
    privatePort: one.TargetPort ?? 0,
    publicPort: one.PublishedPort ?? 0,
    protocol: one.Protocol ?? "tcp",
  }));
}

/** Tells of it, and makes nothing of it. */
export function skipped(skip: Skip, entry: string, why: string): readonly never[] {
  skip(entry, why);
  return [];
}

/** A name as the log has it, whatever the daemon says. */
function shown(name: string): string {
  return printable(name.slice(0, 100));
}

function nameOf(row: unknown, index: number): string {
  const { Id, ID } = (row ?? {}) as { Id?: unknown; ID?: unknown };
  const id = Id ?? ID;
  return typeof id === "string" && id !== "" ? shown(id.slice(0, 12)) : `entry ${index + 1}`;
}
