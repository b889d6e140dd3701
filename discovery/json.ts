import { z } from "zod";
import { DiscoveryError } from "../lib/errors.ts";
import { type JsonPath, parseJsonPath } from "../lib/json_path.ts";
import type { DiscoveryKind } from "../lib/kinds.ts";
import { endpointProblems, endpointShape, textOf } from "./_endpoint.ts";
import { type JsonRows, jsonRowsOf, USUAL_PATHS } from "./_rows.ts";

/** The keys of `json`, beside those of its TLS. */
export type JsonOptions = {
  readonly json_endpoint: string;
  readonly json_root_path?: string;
  readonly json_host_pattern?: string;
  readonly json_port_pattern?: string;
  readonly json_weight_pattern?: string;
  readonly json_priority_pattern?: string;
  readonly json_sni_pattern?: string;
  readonly json_max_connections_pattern?: string;
};

/** Backends from JSON that a web server has. */
export const json: DiscoveryKind<JsonOptions> = {
  name: "json",
  summary: "Asks a web server for JSON; each element of its list is a backend.",
  example: 'json_endpoint = "http://config.internal/backends.json"',
  shape: {
    ...endpointShape("json"),
    json_host_pattern: path('Where an element has its host, as in `"address.host"`', "host"),
    json_port_pattern: path("Where it has its port", "port"),
    json_weight_pattern: path("Where it has its weight, if it has one", "weight"),
    json_priority_pattern: path("Where it has its priority, if it has one", "priority"),
    json_sni_pattern: path("Where it has the name that it serves, if it has one", "sni"),
    json_max_connections_pattern: path(
      "Where it has its limit of sessions, if it has one",
      "max_connections",
    ),
    json_root_path: path("Where the list is"),
  },
  problems: endpointProblems("json"),
  find: async (options, { skip, signal }) =>
    jsonRowsOf(await textOf("json", options, "application/json, */*", signal), rows(options), skip),
};

/** How an answer is read. Pure. */
export function rows(options: JsonOptions): JsonRows {
  const { json_host_pattern: host, json_port_pattern: port, json_root_path: root } = options;
  return {
    paths: {
      host: parsed(host, USUAL_PATHS.host),
      port: parsed(port, USUAL_PATHS.port),
      weight: parsed(options.json_weight_pattern, USUAL_PATHS.weight!),
      priority: parsed(options.json_priority_pattern, USUAL_PATHS.priority!),
      sni: parsed(options.json_sni_pattern, USUAL_PATHS.sni!),
      maxConnections: parsed(options.json_max_connections_pattern, USUAL_PATHS.maxConnections!),
    },
    root: root ? parsed(root, []) : undefined,
    nested: [undefined, "", "host"].includes(host) && [undefined, "", "port"].includes(port),
  };
}

function path(text: string, usual?: string) {
  return z.string().superRefine((written, context) => {
    const parsed = written === "" ? [] : parseJsonPath(written);
    if (typeof parsed === "string") context.addIssue({ code: "custom", message: parsed });
  }).optional().describe(`${text}.`)
    .meta({ form: "path", otherwise: usual === undefined ? "the whole answer" : `\`"${usual}"\`` });
}

/** A path that the configuration's check has judged already. */
function parsed(written: string | undefined, usual: JsonPath): JsonPath {
  if (written === undefined || written === "") return usual;
  const path = parseJsonPath(written);
  if (typeof path === "string") throw new DiscoveryError(path);
  return path;
}
