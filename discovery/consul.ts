import { z } from "zod";
import { parseHostPort } from "../lib/address.ts";
import { backendOf, parseFact } from "../lib/backend_fields.ts";
import { systemClock } from "../lib/clock.ts";
import { DiscoveryError, printable } from "../lib/errors.ts";
import type { DiscoveryContext, DiscoveryKind } from "../lib/kinds.ts";
import { fieldsOf, listOf, textOf } from "../lib/loose.ts";
import type { Backend } from "../lib/model.ts";
import { whatHappened } from "../lib/net/errors.ts";
import { type Answer, request } from "../lib/net/request.ts";
import { TimeLimit } from "../lib/time_limit.ts";
import { tlsFiles, tlsProblems, tlsShape } from "../lib/net/tls_keys.ts";
import { tlsOptions } from "../lib/net/tls_options.ts";
import { nextIndex } from "../lib/source/consul_index.ts";
import { basicAuth } from "../lib/net/basic_auth.ts";

/** The keys of `consul`. */
export type ConsulOptions = {
  readonly consul_host: string;
  readonly consul_service_name: string;
  readonly consul_service_tag: string;
  readonly consul_service_passing_only: boolean;
  readonly consul_datacenter: string;
  readonly consul_auth_username: string;
  readonly consul_auth_password: string;
  readonly consul_acl_token: string;
  readonly consul_tls_enabled: boolean;
  readonly [tlsKey: `consul_tls_${string}`]: unknown;
};

/** What surrounds the questions to Consul. */
export type ConsulSurroundings = {
  /** How long Consul is asked to wait for a change. */
  readonly waitMs: number;
  /** How long after that an answer is waited for. */
  readonly limitMs: number;
  /** Pause after a wait that broke off. */
  readonly retryMs: number;
  /** The token of the environment. */
  token(): string | undefined;
};

/** Pause after each answer, so that a service that changes all the time costs little. */
const PAUSE_MS = 100;
/** Time between two questions where answers can't be waited for, as something in between drops their index. */
const UNWAITED_MS = 5_000;

/** `consul` in these surroundings. */
export function consulIn(surroundings: ConsulSurroundings): DiscoveryKind<ConsulOptions> {
  return {
    name: "consul",
    summary: "The instances of a service in Consul, followed as they change.",
    example: `consul_host = "127.0.0.1:8500"
consul_service_name = "web"`,
    shape,
    problems: (options) => tlsProblems("consul", options),
    guarded: ({ consul_host, consul_acl_token }) =>
      consul_host.startsWith("unix:") ||
        (consul_acl_token === "" && surroundings.token() !== undefined)
        ? [consul_host]
        : [],
    async find(options, { signal, skip }) {
      const answer = await ask(options, surroundings, 0, signal);
      return consulBackends(answer.text, skip);
    },
    watch: (options, context) => follow(options, surroundings, context),
  };
}

const shape = {
  consul_host: z.string().superRefine((host, context) => {
    const place = placeOf(host, false);
    if (typeof place === "string") context.addIssue({ code: "custom", message: place });
  }).describe("Consul's HTTP API: `host:port`, a URL, or `unix:///path` of its socket."),
  consul_service_name: z.string().min(1).describe("The name of the service."),
  consul_service_tag: z.string().default("")
    .describe("A tag that instances must have; of several, with commas between, all."),
  consul_service_passing_only: z.boolean().default(false)
    .describe("Takes only instances whose checks all pass."),
  consul_datacenter: z.string().default("").describe("The datacenter; the agent's own if empty."),
  consul_auth_username: z.string().default("").describe("Name for HTTP basic authentication."),
  consul_auth_password: z.string().default("").describe("Its password."),
  consul_acl_token: z.string().default("")
    .describe("The ACL token; if empty, that of `CONSUL_HTTP_TOKEN` in the environment."),
  consul_tls_enabled: z.boolean().default(false).describe("Speaks TLS to Consul."),
  ...tlsShape("consul"),
};

/** Instances of a service in Consul, with their weights; changes arrive as they are made. */
export const consul: DiscoveryKind<ConsulOptions> = consulIn({
  waitMs: 55_000, // what lies in between often gives up after 60 s
  limitMs: 10_000,
  retryMs: 1_000,
  token: () => Deno.env.get("CONSUL_HTTP_TOKEN"),
});

async function* follow(
  options: ConsulOptions,
  surroundings: ConsulSurroundings,
  { signal, skip }: DiscoveryContext,
): AsyncGenerator<readonly Backend[]> {
  for (let index = 0; !signal.aborted;) {
    let answer: Answer;
    try {
      answer = await askInTime(options, surroundings, index, signal);
    } catch (error) {
      if (index === 0) throw error;
      index = 0; // it was the wait that broke off: Consul may answer all the same, or another server may
      await systemClock.sleep(surroundings.retryMs, signal);
      continue;
    }
    const header = textOf(answer.headers["x-consul-index"]);
    const next = nextIndex(index, header);
    if (index === 0 || next !== index) yield consulBackends(answer.text, skip);
    index = next;
    await systemClock.sleep(header === "" ? UNWAITED_MS : PAUSE_MS, signal);
  }
}

/** Asks with a limit that lets Consul wait: it does so up to a sixteenth longer than it is asked to. */
async function askInTime(
  options: ConsulOptions,
  surroundings: ConsulSurroundings,
  index: number,
  signal: AbortSignal,
): Promise<Answer> {
  const { waitMs, limitMs } = surroundings;
  using limit = new TimeLimit(limitMs + (index > 0 ? waitMs * 17 / 16 : 0), signal);
  try {
    return await ask(options, surroundings, index, limit.signal);
  } catch (error) {
    if (!limit.late) throw error;
    throw new DiscoveryError(`Consul at ${options.consul_host}: no answer in time`);
  }
}

/** The answer about the service; with an index, once there is a newer one or the wait is over. */
async function ask(
  options: ConsulOptions,
  surroundings: ConsulSurroundings,
  index: number,
  signal: AbortSignal,
): Promise<Answer> {
  const { consul_host: host, consul_service_name: service } = options;
  const place = placeOf(host, options.consul_tls_enabled);
  if (typeof place === "string") throw new DiscoveryError(place.split("\n")[0]);
  const url = new URL(`/v1/health/service/${encodeURIComponent(service)}`, place.url);
  if (options.consul_datacenter !== "") url.searchParams.set("dc", options.consul_datacenter);
  for (const tag of tagsOf(options.consul_service_tag)) url.searchParams.append("tag", tag);
  if (options.consul_service_passing_only) url.searchParams.set("passing", "1");
  if (index > 0) {
    url.searchParams.set("index", String(index));
    url.searchParams.set("wait", `${surroundings.waitMs}ms`);
  }
  const token = options.consul_acl_token || surroundings.token() || "";
  const { consul_auth_username: login, consul_auth_password: password } = options;
  const headers = {
    accept: "application/json",
    ...token === "" ? {} : { "x-consul-token": token },
    ...login + password === "" ? {} : { authorization: basicAuth(`${login}:${password}`) },
  };
  let answer: Answer;
  try {
    const tls = url.protocol === "https:" ? tlsOptions(tlsFiles("consul", options)) : undefined;
    answer = await request({ url, socketPath: place.socketPath, headers, tls, signal });
  } catch (error) {
    throw new DiscoveryError(`Consul at ${host}: ${whatHappened(error)}`, { cause: error });
  }
  const wrong = refusal(answer, service, token !== "");
  if (wrong !== undefined) throw new DiscoveryError(`Consul at ${host}: ${wrong}`);
  return answer;
}

/** Why an answer isn't one; undefined when it is. */
function refusal(answer: Answer, service: string, withToken: boolean): string | undefined {
  const { status, headers } = answer;
  const text = answer.text.trim();
  const said = /^[\x20-\x7e]{1,200}$/.test(text) ? `: ${text}` : "";
  const whose = withToken ? "this token" : "anybody without a token";
  const policy = "give one that may in consul_acl_token or CONSUL_HTTP_TOKEN; its policy needs " +
    `service "${service}" { policy = "read" } and node_prefix "" { policy = "read" }`;
  if (status === 403) return `its ACLs don't let ${whose} see the service${said}; ${policy}`;
  if (status !== 200) return `status ${status}${said}`;
  if (text === "[]" && headers["x-consul-results-filtered-by-acls"] === "true") {
    return `its ACLs hide the service's instances from ${whose}; ${policy}`;
  }
  return undefined;
}

function tagsOf(text: string): string[] {
  return text.split(",").map((tag) => tag.trim()).filter((tag) => tag !== "");
}

type Place = { readonly url: URL; readonly socketPath?: string };

/** Where Consul is. A string says what is wrong with its address. */
function placeOf(host: string, tls: boolean): Place | string {
  const example = 'for example consul_host = "127.0.0.1:8500"';
  const [, scheme, rest = ""] = /^(\w+):\/\/(.*)$/.exec(host) ?? [];
  if (scheme === "unix") {
    if (!rest.startsWith("/")) return `"${host}" has no absolute path\nwrite unix:///path`;
    return { url: new URL(`${tls ? "https" : "http"}://localhost/`), socketPath: rest };
  }
  if (rest.includes("@")) {
    return "has a name or a password in it\nthose are consul_auth_username and consul_auth_password";
  }
  if (scheme !== undefined) {
    const secure = tls || scheme === "https";
    const url = URL.parse(`${secure ? "https" : "http"}://${rest}`);
    const right = url !== null && ["http", "https"].includes(scheme) &&
      url.pathname + url.search + url.hash === "/";
    return right ? { url } : `"${host}" is not Consul's address\n${example}`;
  }
  if (host === "") return `is empty\n${example}`;
  const parsed = parseHostPort(host);
  if (typeof parsed === "string") return parsed;
  if (parsed.host === "" || parsed.port === 0) return `"${host}" has no host or port\n${example}`;
  return { url: new URL(`${tls ? "https" : "http"}://${host}/`) };
}

/**
 * The backends of an answer of `/v1/health/service/…`. Pure. Instances without a usable address or port are skipped, and
 * so is metadata that is no number.
 * @throws DiscoveryError when it is not such an answer.
 */
export function consulBackends(text: string, skip: DiscoveryContext["skip"]): Backend[] {
  let rows: unknown;
  try {
    rows = JSON.parse(text);
  } catch {
    rows = undefined; // SyntaxError
  }
  if (!Array.isArray(rows)) {
    throw new DiscoveryError("the answer isn't Consul's; is consul_host that of its HTTP API?");
  }
  const backends: Backend[] = [];
  for (const row of rows) {
    const service = fieldsOf(fieldsOf(row).Service);
    const id = printable(textOf(service.ID)) || "an instance";
    const host = textOf(service.Address) || textOf(fieldsOf(fieldsOf(row).Node).Address);
    const backend = backendOf({
      host,
      port: service.Port,
      sni: sniOf(listOf(service.Tags)),
      weight: weightOf(fieldsOf(service.Weights), listOf(fieldsOf(row).Checks)),
      ...metadataOf(fieldsOf(service.Meta), id, skip),
    });
    if (typeof backend === "string") skip(id, backend);
    else backends.push(backend);
  }
  return backends;
}

/** The last tag `sni=…` counts, as in gobetween. */
function sniOf(tags: readonly unknown[]): string {
  const tag = tags.findLast((tag) => textOf(tag).startsWith("sni="));
  return textOf(tag).slice("sni=".length).trim();
}

/** Consul's own weight of an instance: one while all checks pass, another while one warns, or fails. */
function weightOf(weights: Record<string, unknown>, checks: readonly unknown[]): number {
  const passing = checks.every((check) => textOf(fieldsOf(check).Status) === "passing");
  return parseFact(String((passing ? weights.Passing : weights.Warning) ?? 1)) ?? 1;
}

const METADATA = [
  ["weight", "weight"],
  ["priority", "priority"],
  ["max_connections", "maxConnections"],
] as const;

/** What an instance's metadata says; keys of that name may be somebody else's, so a strange value isn't ours. */
function metadataOf(
  meta: Record<string, unknown>,
  id: string,
  skip: DiscoveryContext["skip"],
): Partial<Backend> {
  const facts: Record<string, number> = {};
  for (const [key, field] of METADATA) {
    const text = textOf(meta[key]);
    if (text === "") continue;
    const value = parseFact(text);
    if (value === undefined) {
      skip(`metadata of ${id}`, `${key} "${printable(text)}" is no whole number`);
    } else facts[field] = value;
  }
  return facts;
}
