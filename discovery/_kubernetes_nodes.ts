/** NodePort services: the nodes on which the service's pods run, and the port that each node has for it. */
import { backendOf } from "../lib/backend_fields.ts";
import { DiscoveryError, printable } from "../lib/errors.ts";
import type { DiscoveryContext } from "../lib/kinds.ts";
import { fieldsOf, listOf, textOf } from "../lib/loose.ts";
import type { Backend } from "../lib/model.ts";
import type { KubernetesApi, ListQuery } from "./_kubernetes_api.ts";

/** A service as it is asked for. */
export type NodePortQuery = {
  readonly namespace: string;
  readonly service: string;
  /** Name or number of the service's port; undefined where it has only one. */
  readonly port: string | number | undefined;
};

/** What a service says of its pods and of the nodes' port. */
export type NodePortService = { readonly nodePort: number; readonly selector: string };

/** Nodes that are asked for at the same time. */
const AT_ONCE = 8;

/** The backends once. @throws DiscoveryError when they can't be had. */
export async function findNodes(
  api: KubernetesApi,
  query: NodePortQuery,
  { signal, skip }: DiscoveryContext,
): Promise<Backend[]> {
  const service = await serviceOf(api, query, signal);
  const { items } = await api.list(podsOf(query, service), signal);
  return await backendsOf(api, service, items.map(nodeOfPod), { signal, skip });
}

/** The backends, and again when their pods are on other nodes; service and nodes are looked at every minute. */
export async function* followNodes(
  api: KubernetesApi,
  query: NodePortQuery,
  { signal, skip }: DiscoveryContext,
): AsyncGenerator<readonly Backend[]> {
  while (!signal.aborted) {
    const { selector } = await serviceOf(api, query, signal);
    let before: string | undefined;
    for await (const news of api.follow(podsOf(query, { selector }), nodeOfPod, signal)) {
      const names = [...news.objects.values()];
      const nodes = [...new Set(names)].sort().join();
      if (news.changed && nodes === before) continue;
      before = nodes;
      const service = await serviceOf(api, query, signal);
      if (service.selector !== selector) break; // other pods than those
      yield await backendsOf(api, service, names, { signal, skip });
    }
  }
}

async function serviceOf(
  api: KubernetesApi,
  { namespace, service, port }: NodePortQuery,
  signal: AbortSignal,
): Promise<NodePortService> {
  const path = `${namespacePath(namespace)}/services/${encodeURIComponent(service)}`;
  const found = await api.get(path, signal);
  if (found === undefined) {
    throw new DiscoveryError(`there is no service "${service}" in namespace "${namespace}"`);
  }
  return readService(found, port);
}

/** The service as the API sends it. Pure. @throws DiscoveryError when nodes have no such port for it. */
export function readService(object: unknown, wanted: string | number | undefined): NodePortService {
  const spec = fieldsOf(fieldsOf(object).spec);
  const ports = listOf(spec.ports).map(fieldsOf);
  const found = wanted === undefined
    ? (ports.length === 1 ? ports[0] : undefined)
    : ports.find(({ name, port }) => name === wanted || port === Number(wanted));
  if (found === undefined) {
    const shown = ports.map(({ name, port }) => name ? `${name} (${port})` : port).join(", ");
    const offered = printable(shown);
    throw new DiscoveryError(
      wanted === undefined
        ? `the service has ports ${offered}; name one in kubernetes_port`
        : `the service has no port ${wanted}; it has ${offered}`,
    );
  }
  const { nodePort } = found;
  if (typeof nodePort !== "number" || nodePort < 1 || nodePort > 65_535) {
    throw new DiscoveryError(
      `the service is of type ${printable(textOf(spec.type))}: nodes have no port for it; ` +
        `make it a NodePort, or use kubernetes_mode = "endpoints"`,
    );
  }
  const selector = Object.entries(fieldsOf(spec.selector)).map(([key, value]) => `${key}=${value}`);
  if (selector.length === 0) throw new DiscoveryError("the service has no selector for its pods");
  return { nodePort, selector: selector.join(",") };
}

function podsOf(
  { namespace }: NodePortQuery,
  { selector }: Pick<NodePortService, "selector">,
): ListQuery {
  return {
    path: `${namespacePath(namespace)}/pods`,
    params: { labelSelector: selector },
    page: 250,
  };
}

function namespacePath(namespace: string): string {
  return `/api/v1/namespaces/${encodeURIComponent(namespace)}`;
}

/** The node that a pod serves on; empty where it doesn't run, isn't ready, or is on its way out. Pure. */
export function nodeOfPod(object: unknown): string {
  const { metadata, spec, status } = fieldsOf(object);
  const { phase, conditions } = fieldsOf(status);
  const unready = listOf(conditions).map(fieldsOf)
    .some(({ type, status }) => type === "Ready" && status === "False");
  const going = fieldsOf(metadata).deletionTimestamp !== undefined;
  return phase === "Running" && !unready && !going ? textOf(fieldsOf(spec).nodeName) : "";
}

/** The address of a node inside the cluster, empty where it has none. Pure. */
export function addressOfNode(object: unknown): string {
  const addresses = listOf(fieldsOf(fieldsOf(object).status).addresses).map(fieldsOf);
  return textOf(addresses.find(({ type }) => type === "InternalIP")?.address);
}

async function backendsOf(
  api: KubernetesApi,
  { nodePort }: NodePortService,
  nodes: readonly string[],
  { signal, skip }: Pick<DiscoveryContext, "signal" | "skip">,
): Promise<Backend[]> {
  const names = [...new Set(nodes)].filter((name) => name !== "");
  const backends = new Map<string, Backend>();
  for (let at = 0; at < names.length; at += AT_ONCE) {
    const asked = names.slice(at, at + AT_ONCE).map(async (name) => {
      const node = await api.get(`/api/v1/nodes/${encodeURIComponent(name)}`, signal);
      return { name, host: addressOfNode(node) };
    });
    for (const { name, host } of await Promise.all(asked)) {
      const backend = backendOf({ host, port: nodePort });
      if (typeof backend === "string") skip(`node ${printable(name)}`, backend);
      else backends.set(host, backend);
    }
  }
  return [...backends.values()];
}
