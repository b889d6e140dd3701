import { z } from "zod";
import { printHostPort } from "../lib/address.ts";
import { filePath } from "../lib/config/values.ts";
import { DiscoveryError, messageOf } from "../lib/errors.ts";
import type { DiscoveryContext, DiscoveryKind } from "../lib/kinds.ts";
import type { Backend } from "../lib/model.ts";
import { readPlainFileSync } from "../lib/source/plain_file.ts";
import { KubernetesApi, type ListQuery } from "./_kubernetes_api.ts";
import { findNodes, followNodes } from "./_kubernetes_nodes.ts";
import { readSlice, sliceBackends } from "./_kubernetes_slices.ts";

/** The keys of `kubernetes`. */
export type KubernetesOptions = {
  readonly kubernetes_api: string;
  readonly kubernetes_namespace: string;
  readonly kubernetes_service: string;
  readonly kubernetes_port?: string | number;
  readonly kubernetes_mode: "endpoints" | "nodeport";
  readonly kubernetes_token_path: string;
  readonly kubernetes_ca_path: string;
  readonly kubernetes_insecure: boolean;
};

/** What a pod of the cluster finds around itself, and how patient it is. */
export type KubernetesSurroundings = {
  /** A variable of the environment. */
  env(name: string): string | undefined;
  /** The folder of the service account. */
  readonly folder: string;
  /** See `ApiOptions`. */
  readonly limitMs: number;
  readonly watchMs: number;
  readonly retryMs: number;
};

/** `kubernetes` in these surroundings. */
export function kubernetesIn(
  surroundings: KubernetesSurroundings,
): DiscoveryKind<KubernetesOptions> {
  return {
    name: "kubernetes",
    summary: "The ready pods of a Kubernetes service, or the nodes they run on, as they change.",
    example: 'kubernetes_service = "web"',
    shape,
    guarded: ({ kubernetes_api, kubernetes_token_path }) =>
      [kubernetes_api, kubernetes_token_path].filter((one) => one !== ""),
    find: (options, context) => find(place(options, surroundings), context),
    watch: (options, context) => follow(options, surroundings, context),
  };
}

const shape = {
  kubernetes_api: z.string().default("").superRefine((text, context) => {
    if (text === "" || apiUrl(text) !== undefined) return;
    const message = 'is not a URL\nfor example kubernetes_api = "https://10.0.0.1:6443"';
    context.addIssue({ code: "custom", message });
  }).describe("URL of the API server; if empty, that of the cluster we run in."),
  kubernetes_namespace: z.string().default("")
    .describe("The service's namespace; if empty, the one we run in."),
  kubernetes_service: z.string().min(1).describe("The name of the service."),
  kubernetes_port: z.union([z.int().min(1).max(65_535), z.string().min(1)], {
    error: ({ input }) =>
      input === undefined ? undefined : "is not a port\nwrite its name, or a number up to 65535",
  }).optional().describe("Name or number of the pods' port (of the service's with nodeport).")
    .meta({ otherwise: "the only one" }),
  kubernetes_mode: z.enum(["endpoints", "nodeport"]).default("endpoints")
    .describe("What is dialled: the pods themselves, or their nodes at the service's node port."),
  kubernetes_token_path: filePath(
    "The file with the token, read anew each time; if empty, the service account's.",
  ),
  kubernetes_ca_path: filePath(
    "The file of the authority of the API's certificate, PEM; if empty, the service account's.",
  ),
  kubernetes_insecure: z.boolean().default(false)
    .describe("Takes any certificate: whoever is in between can read the token."),
};

/** The pods of a service by its EndpointSlices, or its nodes by NodePort; changes arrive as they are made. */
export const kubernetes: DiscoveryKind<KubernetesOptions> = kubernetesIn({
  env: (name) => Deno.env.get(name),
  folder: "/var/run/secrets/kubernetes.io/serviceaccount",
  limitMs: 10_000,
  watchMs: 55_000,
  retryMs: 1_000,
});

type Place = {
  readonly api: KubernetesApi;
  readonly namespace: string;
  readonly service: string;
  readonly port: string | number | undefined;
  readonly mode: KubernetesOptions["kubernetes_mode"];
};

async function find(place: Place, context: DiscoveryContext): Promise<readonly Backend[]> {
  if (place.mode === "nodeport") return await findNodes(place.api, place, context);
  const { items } = await place.api.list(slicesOf(place), context.signal);
  return sliceBackends(items.map(readSlice), place.port, context.skip);
}

async function* follow(
  options: KubernetesOptions,
  surroundings: KubernetesSurroundings,
  context: DiscoveryContext,
): AsyncGenerator<readonly Backend[]> {
  const { api, ...query } = place(options, surroundings);
  if (query.mode === "nodeport") return yield* followNodes(api, query, context);
  for await (const news of api.follow(slicesOf(query), readSlice, context.signal)) {
    if (news.changed) yield sliceBackends(news.objects.values(), query.port, context.skip);
  }
}

function slicesOf({ namespace, service }: Pick<Place, "namespace" | "service">): ListQuery {
  const inside = `namespaces/${encodeURIComponent(namespace)}`;
  return {
    path: `/apis/discovery.k8s.io/v1/${inside}/endpointslices`,
    params: { labelSelector: `kubernetes.io/service-name=${service}` },
    page: 50, // each may have a hundred endpoints
  };
}

/** Everything that the configuration leaves to the cluster we run in. @throws DiscoveryError when we don't. */
function place(options: KubernetesOptions, surroundings: KubernetesSurroundings): Place {
  const { folder, limitMs, watchMs, retryMs } = surroundings;
  const url = apiUrl(options.kubernetes_api || clusterApi(surroundings));
  if (url === undefined) {
    throw new DiscoveryError(
      "KUBERNETES_SERVICE_HOST and _PORT make no address; name the API's URL in kubernetes_api",
    );
  }
  const mounted = (name: string) => isFile(`${folder}/${name}`) ? `${folder}/${name}` : undefined;
  const own = url.protocol === "https:"; // the token isn't for everybody on the way
  const api = new KubernetesApi({
    ...{ url, limitMs, watchMs, retryMs },
    tokenPath: options.kubernetes_token_path || (own ? mounted("token") : undefined),
    caPath: options.kubernetes_ca_path || mounted("ca.crt"),
    insecure: options.kubernetes_insecure,
  });
  return {
    api,
    namespace: options.kubernetes_namespace || namespaceIn(folder),
    service: options.kubernetes_service,
    port: options.kubernetes_port,
    mode: options.kubernetes_mode,
  };
}

function apiUrl(text: string): URL | undefined {
  const url = URL.parse(text);
  const right = url !== null && /^https?:$/.test(url.protocol) && url.username === "" &&
    url.password === "" && url.search === "";
  return right ? url : undefined;
}

function clusterApi({ env }: KubernetesSurroundings): string {
  const host = env("KUBERNETES_SERVICE_HOST");
  if (!host) return "https://kubernetes.default.svc";
  return `https://${printHostPort(host, Number(env("KUBERNETES_SERVICE_PORT") || 443))}`;
}

function namespaceIn(folder: string): string {
  try {
    return readPlainFileSync(`${folder}/namespace`).trim();
  } catch (error) {
    const why = messageOf(error);
    throw new DiscoveryError(
      `this doesn't run in a cluster: ${why}; name the namespace in kubernetes_namespace`,
    );
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false; // NotFound
  }
}
