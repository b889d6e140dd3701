/** `forward = "kernel"` and `udp.transparent`: who forwards a server's packets, and what the kernel can't do. */
import type { ServerSpec } from "../model.ts";
import type { Forward } from "../udp_spec.ts";
import { quote } from "./issues.ts";
import { isTable, type Table } from "./read.ts";
import type { Path, Report } from "./report.ts";

/** Strategies that rules of the kernel can follow. */
export const KERNEL_STRATEGIES: readonly string[] = ["weight", "random", "roundrobin", "iphash"];

/** Keys and sections that need a program between client and backend. */
const NEEDS_PROGRAM: Readonly<Record<string, string>> = {
  tls: "the kernel can't speak TLS",
  backends_tls: "the kernel can't speak TLS",
  sni: "the kernel doesn't read hellos",
  proxy_protocol: "the kernel sends and reads no headers",
  routes: "the kernel leads all clients to one pool",
  max_connections: "the kernel counts no sessions here",
  dial_attempts: "the kernel tries one backend",
  dial_budget: "the kernel tries one backend",
};
/** Keys that the kernel has limits of its own for. */
const OWN_LIMITS: readonly string[] = [
  ...["client_idle_timeout", "backend_idle_timeout", "half_close_timeout"],
  ...["backend_connection_timeout"],
];
/** The same in the section udp. */
const OWN_UDP_LIMITS: readonly string[] = [
  ...["max_requests", "max_responses", "max_sessions", "when_full", "key", "buffer_size"],
  ...["follow_port", "max_unanswered", "answer_timeout"],
];

/**
 * How the kernel forwards a server; undefined where Twixt does it itself. What the kernel can't do is reported.
 * @param server All keys of the server that were given.
 * @param defaults Those of all servers.
 */
export function forwardOf(
  server: Table,
  defaults: Table,
  path: Path,
  report: Report,
): Forward | undefined {
  const udp = isTable(server["udp"]) ? server["udp"] : {};
  const transparent = server["protocol"] === "udp" && udp["transparent"] === true;
  if (!transparent && server["forward"] !== "kernel") return undefined;
  const why = transparent ? "udp.transparent" : 'forward = "kernel"';
  if (transparent && server["forward"] === "user") {
    const hint = 'only the kernel can send with another address; say forward = "kernel"';
    report.error([...path, "forward"], `"user" can't be transparent\n${hint}`);
  }
  if (server["protocol"] === "tls") {
    report.error(
      [...path, "protocol"],
      `"tls" can't stand with ${why}\nthe kernel can't speak TLS`,
    );
  }
  for (const [key, hint] of Object.entries(NEEDS_PROGRAM)) {
    if (server[key] === undefined || server[key] === 0) continue;
    report.error([...path, key], `can't stand with ${why}\n${hint}; remove it`);
  }
  if (server["max_connections"] === undefined && defaults["max_connections"]) {
    const hint = `${NEEDS_PROGRAM["max_connections"]}; say max_connections = 0`;
    report.warn(path, `isn't bound by defaults.max_connections with ${why}\n${hint}`);
  }
  for (const key of OWN_LIMITS.filter((key) => server[key] !== undefined)) {
    report.warn([...path, key], `has no effect with ${why}\nthe kernel has limits of its own`);
  }
  for (const key of OWN_UDP_LIMITS.filter((key) => udp[key] !== undefined)) {
    report.warn([...path, "udp", key], `has no effect with ${why}\nthe kernel has its own`);
  }
  return transparent ? "transparent" : "masquerade";
}

/** Reports a strategy that rules of the kernel can't follow. */
export function refuseStrategy(strategy: string, at: Path, report: Report): void {
  if (KERNEL_STRATEGIES.includes(strategy)) return;
  const hint = `it needs counts that the kernel hasn't; one of ${KERNEL_STRATEGIES.join(", ")}`;
  report.error(at, `${quote(strategy)} can't be had with the kernel forwarding\n${hint}`);
}

/**
 * Reports servers on all addresses that the kernel forwards, where another listener has one of them: its packets would go
 * to the former, since the kernel looks at no listener.
 * @param binds Who binds where, by `PROTOCOL HOSTNAME PORT`.
 */
export function refuseOverlaps(
  servers: Iterable<ServerSpec>,
  binds: ReadonlyMap<string, string>,
  report: Report,
): void {
  for (const { name, forward, protocol, bind } of servers) {
    if (forward === undefined || !["::", "0.0.0.0"].includes(bind.hostname)) continue;
    const others = [...binds].filter(([key]) =>
      key.startsWith(`${protocol} `) && key.endsWith(` ${bind.port}`) &&
      key !== `${protocol} ${bind.hostname} ${bind.port}`
    );
    for (const [, owner] of others) {
      const text = `${quote(bind.text)} would take what is for ${owner}, which has the same port`;
      report.error(["servers", name, "bind"], `${text}\nbind one address, or another port`);
    }
  }
}
