import { backendOf } from "../lib/backend_fields.ts";
import { parseBackendLine } from "../lib/backend_line.ts";
import { DiscoveryError } from "../lib/errors.ts";
import type { DiscoveryKind } from "../lib/kinds.ts";
import type { Backend } from "../lib/model.ts";
import { pattern } from "../lib/config/pattern.ts";
import { compilePattern } from "../lib/pattern.ts";
import { endpointProblems, endpointShape, textOf } from "./_endpoint.ts";
import { rowsOf } from "./_rows.ts";

/** The keys of `plaintext`, beside those of its TLS. */
export type PlaintextOptions = {
  readonly plaintext_endpoint: string;
  readonly plaintext_regex_pattern?: string;
};

/** Backends from a text that a web server has, one a line. */
export const plaintext: DiscoveryKind<PlaintextOptions> = {
  name: "plaintext",
  summary: "Asks a web server for a text; each of its lines is a backend.",
  example: 'plaintext_endpoint = "http://config.internal/backends"',
  shape: {
    ...endpointShape("plaintext"),
    plaintext_regex_pattern: pattern(
      "How a line is taken apart: groups `host` and `port`, and `weight`, `priority`, `sni` and " +
        "`max_connections` if need be.",
      ["host", "port"],
    ).optional().meta({ otherwise: "lines as in static_list" }),
  },
  problems: endpointProblems("plaintext"),
  async find(options, { skip, signal }) {
    const parse = lineParser(options.plaintext_regex_pattern);
    return rowsOf(await textOf("plaintext", options, "text/plain, */*", signal), skip, parse);
  },
};

/** Longest line that is matched: a hostile one of some MiB would take seconds. */
const MAX_LINE = 16_384;

/** What takes a line apart. Pure. @throws DiscoveryError when it isn't a pattern. */
export function lineParser(source = ""): (line: string) => Backend | string {
  if (source === "") return parseBackendLine;
  const compiled = compilePattern(source);
  if (typeof compiled === "string") throw new DiscoveryError(compiled);
  return (line) => {
    if (line.length > MAX_LINE) return "it is longer than a pattern is tried on";
    const { max_connections: maxConnections, ...said } = compiled.groups(line.trim()) ?? {};
    const { host, port, weight, priority, sni } = said;
    if (host === undefined && port === undefined) return "the pattern doesn't match";
    return backendOf({ host, port, weight, priority, sni, maxConnections });
  };
}
