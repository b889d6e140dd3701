/** Small registries: what a configuration can say doesn't depend on which kinds are built today. */
import { z } from "zod";
import { backendLines } from "../../lib/backend_line.ts";
import type { Kinds } from "../../lib/config/load.ts";
import type { CheckKind, DiscoveryKind, StrategyKind } from "../../lib/kinds.ts";
import { Registry } from "../../lib/registry.ts";

function strategy(name: string): StrategyKind {
  return { name, summary: "", build: () => ({ pick: () => 0 }) };
}

function discovery(name: string, shape: z.ZodRawShape, fixed = false): DiscoveryKind {
  return { name, summary: "", shape, fixed, find: () => Promise.resolve([]) };
}

function check(name: string, shape: z.ZodRawShape): CheckKind {
  return { name, summary: "", shape, check: () => Promise.resolve({ passed: true, text: "" }) };
}

/** Three strategies, two discoveries and two checks; the rest is planned. */
export const kinds: Kinds = {
  strategies: new Registry("strategy", ["weight", "roundrobin", "leastconn"].map(strategy), [
    "leastbandwidth",
    "iphash",
    "iphash1",
  ]),
  discoveries: new Registry(
    "discovery",
    [
      discovery("static", { static_list: backendLines.describe("Backends.") }, true),
      discovery("exec", {
        exec_command: z.array(z.string()).min(1),
        exec_shout: z.boolean().default(false),
      }),
    ],
    ["srv", "docker", "json", "plaintext", "consul", "lxd"],
  ),
  checks: new Registry(
    "healthcheck",
    [
      check("ping", {}),
      check("probe", {
        probe_protocol: z.enum(["tcp", "tls"]),
        probe_strategy: z.string().default(""),
        probe_send: z.string().default(""),
        probe_recv: z.string().default(""),
        probe_recv_len: z.int().default(0),
      }),
    ],
    ["exec"],
  ),
};
