/** A whole configuration for each kind, as short as can be. Pure. */
import type { Kind, KindWithKeys } from "../kinds.ts";

const SERVER = '[servers.web]\nbind = ":3000"\n';
const BACKENDS = `
[servers.web.discovery]
kind = "static"
static_list = ["10.0.0.1:80", "10.0.0.2:80"]
`;

/** A server that uses this strategy. */
export function strategyExample({ name }: Kind): string {
  return `${SERVER}balance = "${name}"\n${BACKENDS}`;
}

/** A server whose backends come from this discovery. */
export function discoveryExample({ name, example }: KindWithKeys): string {
  return `${SERVER}\n[servers.web.discovery]\nkind = "${name}"\n${lines(example)}`;
}

/** A server whose backends are asked by this check. */
export function checkExample({ name, example }: KindWithKeys): string {
  const section = `[servers.web.healthcheck]\nkind = "${name}"\ninterval = "2s"\n`;
  return `${SERVER}${BACKENDS}\n${section}${lines(example)}`;
}

function lines(example: string | undefined): string {
  return example === undefined ? "" : `${example}\n`;
}
