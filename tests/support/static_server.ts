import type { TcpBackend } from "./backends.ts";

/** A section of `servers`: round robin over these backends, on a port that the system chooses. */
export function staticServer(
  backends: readonly (TcpBackend | string)[],
  more: Record<string, unknown> = {},
): Record<string, unknown> {
  const list = backends.map((backend) => typeof backend === "string" ? backend : backend.address);
  return {
    bind: "127.0.0.1:0",
    balance: "roundrobin",
    discovery: { kind: "static", static_list: list },
    ...more,
  };
}
