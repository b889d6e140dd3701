import { z } from "zod";
import { flag, text, whole } from "../lib/config/values.ts";
import { systemClock } from "../lib/clock.ts";
import { DiscoveryError, messageOf, WatchRefusedError } from "../lib/errors.ts";
import type { DiscoveryContext, DiscoveryKind } from "../lib/kinds.ts";
import type { Backend } from "../lib/model.ts";
import { tlsFiles, tlsProblems, tlsShape } from "../lib/net/tls_keys.ts";
import { onAbort } from "../lib/own.ts";
import { Semaphore } from "../lib/semaphore.ts";
import {
  ask,
  type Daemon,
  listen,
  parseEndpoint,
  type Question,
  RefusedError,
} from "./_docker_api.ts";
import { containersIn, type Instance, tasksIn } from "./_docker_answers.ts";
import { Events, within } from "./_events.ts";
import { backendsOf, hasLabel, type Wanted } from "./_docker_backends.ts";

/** The keys of `docker`. Empty strings are as good as none: programs that know gobetween's types send them. */
export type DockerOptions = {
  readonly docker_endpoint: string;
  readonly docker_container_private_port: number;
  readonly docker_container_label: string;
  readonly docker_container_host_env_var: string;
  readonly docker_tls_enabled: boolean;
  readonly [tlsKey: `docker_tls_${string}`]: unknown;
  readonly docker_address: "published" | "network";
  readonly docker_network: string;
  readonly docker_protocol: "tcp" | "udp";
  readonly docker_service: string;
  readonly docker_healthy_only: boolean;
};

/** Pause after the first of some events: they come in bursts, and the container's own state a little later. */
const SETTLE_MS = 200;
/** Longest time between two lists: a connection that nothing comes through any more looks like one where nothing happens. */
const RELIST_MS = 60_000;
/** The same for a service: a manager doesn't tell of containers on other nodes. */
const SERVICE_RELIST_MS = 3_000;
/** Longest wait for a list, while it listens. */
const LIST_MS = 10_000;
/** Containers asked for their variables at a time. */
const PLACES = 8;

/** Containers of a Docker daemon, or tasks of a service of its swarm. */
export const docker: DiscoveryKind<DockerOptions> = {
  name: "docker",
  summary: "Running containers of a Docker daemon, or tasks of a swarm's service.",
  example: `docker_endpoint = "unix:///var/run/docker.sock"
docker_container_private_port = 80
docker_container_label = "app=web"`,
  shape: {
    docker_endpoint: z.string().superRefine((written, context) => {
      const parsed = parseEndpoint(written, false);
      if (typeof parsed === "string") context.addIssue({ code: "custom", message: parsed });
    }).describe("The daemon: `unix:///path`, `tcp://host:port`, `http://…` or `https://…`."),
    docker_container_private_port: whole("The port inside the containers.", 1, 65535),
    docker_container_label: text(
      "Only containers with this label, `key` or `key=value`; empty takes all.",
    ).default(""),
    docker_container_host_env_var: text(
      "Variable of the container that names the host to dial, where it has it.",
    ).default(""),
    docker_tls_enabled: flag("Speaks TLS to `tcp://` and `http://` as well.").default(false),
    ...tlsShape("docker"),
    docker_address: z.enum(["published", "network"]).describe(
      "What is dialled: the port published on the host, or the container's own address in its network and its private port.",
    ).default("published"),
    docker_network: text("Network whose address is taken; if empty, the first.").default(""),
    docker_protocol: z.enum(["tcp", "udp"]).describe("Protocol of the published port.").default(
      "tcp",
    ),
    docker_service: text("Takes the tasks of this service of the swarm in place of containers.")
      .default(""),
    docker_healthy_only: flag(
      "Leaves out containers whose healthcheck hasn't passed. Tasks are left out by the swarm.",
    ).default(false),
  },
  problems: (options) => tlsProblems("docker", options),
  guarded: ({ docker_endpoint: endpoint }) => endpoint.startsWith("unix:") ? [endpoint] : [],
  find: async (options, context) => await list(daemonOf(options), options, context),
  watch,
};

/** @throws DiscoveryError where the endpoint is none. */
function daemonOf(options: DockerOptions): Daemon {
  const endpoint = parseEndpoint(options.docker_endpoint, options.docker_tls_enabled);
  if (typeof endpoint === "string") throw new DiscoveryError(endpoint.replace("\n", "; "));
  return { endpoint, tls: tlsFiles("docker", options) };
}

async function list(
  daemon: Daemon,
  options: DockerOptions,
  context: DiscoveryContext,
): Promise<readonly Backend[]> {
  const wanted: Wanted = {
    privatePort: options.docker_container_private_port,
    protocol: options.docker_protocol,
    address: options.docker_address,
    network: options.docker_network,
    named: options.docker_service !== "" || options.docker_container_label !== "",
    hostVariable: options.docker_container_host_env_var,
  };
  const { skip } = context;
  const instances = options.docker_service === ""
    ? await containers(daemon, options, context)
    : await tasks(daemon, options, context);
  return instances.flatMap((one) => backendsOf(one, wanted, skip));
}

async function containers(
  daemon: Daemon,
  options: DockerOptions,
  { signal, skip }: DiscoveryContext,
): Promise<readonly Instance[]> {
  const { docker_container_label: label, docker_container_host_env_var: variable } = options;
  const filters = {
    ...label === "" ? {} : { label: [label] },
    ...options.docker_healthy_only ? { health: ["healthy", "none"] } : {},
  };
  const rows = rowsOf(await ask(daemon, { path: "/containers/json", filters }, signal));
  const found = containersIn(rows, daemon.endpoint.host, skip);
  if (variable === "") return found;
  const places = new Semaphore(PLACES);
  const known = found.map((one) => places.run(() => withVariables(daemon, one, signal)));
  return (await Promise.all(known)).filter((one) => one !== undefined);
}

/** Undefined when it has gone meanwhile. */
async function withVariables(
  daemon: Daemon,
  instance: Instance,
  signal: AbortSignal,
): Promise<Instance | undefined> {
  try {
    const path = `/containers/${encodeURIComponent(instance.id)}/json`;
    const { data } = inspected.safeParse(await ask(daemon, { path }, signal));
    return { ...instance, env: data?.Config.Env ?? [] };
  } catch (error) {
    if (error instanceof RefusedError && error.status === 404) return undefined;
    throw error;
  }
}

const inspected = z.object({ Config: z.object({ Env: z.array(z.string()).nullish() }) });
const inspectedService = z.object({
  Spec: z.object({
    Labels: z.record(z.string(), z.string()).nullish(),
    EndpointSpec: z.object({
      Ports: z.array(z.object({ PublishedPort: z.int().nullish() })).nullish(),
    }).nullish(),
  }),
});
const node = z.object({
  ID: z.string(),
  Status: z.object({ Addr: z.string().nullish() }).nullish(),
  ManagerStatus: z.object({ Addr: z.string().nullish() }).nullish(),
});

async function tasks(
  daemon: Daemon,
  options: DockerOptions,
  { signal, skip }: DiscoveryContext,
): Promise<readonly Instance[]> {
  const { docker_service: name, docker_container_label: label } = options;
  const published = options.docker_address === "published";
  const get = (path: string, filters = {}) => ask(daemon, { path, filters }, signal);
  const [service, rows, nodes, own] = await Promise.all([
    get(`/services/${encodeURIComponent(name)}`),
    get("/tasks", { service: [name], "desired-state": ["running"] }),
    published ? get("/nodes") : [],
    published ? get("/containers/json", { label: ["com.docker.swarm.task"] }) : [],
  ]);
  const { Spec: spec } = inspectedService.safeParse(service).data ?? {};
  const found = tasksIn(rowsOf(rows), {
    name,
    labels: spec?.Labels ?? {},
    ports: (spec?.EndpointSpec?.Ports ?? []).map((one) => one.PublishedPort ?? 0),
    nodes: addressesIn(rowsOf(nodes)),
    containers: containersIn(rowsOf(own), "", () => {}),
  }, skip);
  return label === "" ? found : found.filter((one) => hasLabel(one.labels, label));
}

/** Where nodes are, by their id. */
function addressesIn(rows: readonly unknown[]): ReadonlyMap<string, string> {
  return new Map(rows.flatMap((row) => {
    const { data } = node.safeParse(row);
    return data === undefined ? [] : [[data.ID, addressOf(data)] as const];
  }));
}

/** Where a node is. Some managers don't know it of themselves, except as managers. */
function addressOf({ Status, ManagerStatus }: z.infer<typeof node>): string {
  const own = Status?.Addr ?? "";
  return own === "" || own === "0.0.0.0" ? (ManagerStatus?.Addr ?? "").replace(/:\d+$/, "") : own;
}

/** @throws DiscoveryError where it is no list. */
function rowsOf(answer: unknown): readonly unknown[] {
  if (Array.isArray(answer)) return answer;
  throw new DiscoveryError("Docker's answer isn't a list; is it Docker's API that listens there?");
}

/** Events first, then the list, so that nothing falls between them. */
async function* watch(
  options: DockerOptions,
  context: DiscoveryContext,
): AsyncGenerator<readonly Backend[]> {
  const daemon = daemonOf(options);
  const mostMs = options.docker_service === "" ? RELIST_MS : SERVICE_RELIST_MS;
  const stop = new AbortController();
  const { signal } = stop;
  using _until = onAbort(context.signal, () => stop.abort());
  let events: Events | undefined;
  try {
    events = new Events(await listen(daemon, eventsFor(options), signal).catch(unheard));
    for (;;) {
      yield await within(LIST_MS, signal, (limit) => {
        events!.forget();
        return list(daemon, options, { ...context, signal: limit });
      });
      await events.next(mostMs, signal);
      await systemClock.sleep(SETTLE_MS, signal);
      if (signal.aborted) return;
      if (events.over !== undefined) {
        const why = `the stream of events ${events.over}`;
        throw new DiscoveryError(`Docker at ${daemon.endpoint.name}: ${why}`);
      }
    }
  } catch (error) {
    if (!context.signal.aborted) throw error;
  } finally {
    stop.abort();
    await events?.ended;
  }
}

/** Proxies before Docker's socket may let through the list, and not the events. @throws WatchRefusedError then. */
function unheard(error: unknown): never {
  if (!(error instanceof RefusedError) || error.status !== 403) throw error;
  throw new WatchRefusedError(`${messageOf(error)}; whatever forbids GET /events has to allow it`);
}

/** What may change a list. Names of events match by their beginnings. */
function eventsFor(options: DockerOptions): Question {
  const event = [
    ...["start", "die", "pause", "unpause", "rename", "connect", "disconnect"],
    ...options.docker_healthy_only ? ["health_status"] : [],
    ...options.docker_service === "" ? [] : ["create", "update", "remove"],
  ];
  const swarm = options.docker_service === "" ? [] : ["service", "node"];
  return { path: "/events", filters: { type: ["container", "network", ...swarm], event } };
}
