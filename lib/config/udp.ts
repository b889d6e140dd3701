/** `[servers.NAME.udp]`: what it means, and what a server of datagrams can't have. */
import type { UdpSpec } from "../udp_spec.ts";
import type { RouteMatch } from "../routing_spec.ts";
import type { Read, Table } from "./read.ts";
import type { ReadRoutes } from "./routes.ts";
import type { Path, Report } from "./report.ts";
import type { UdpKeys } from "./schema_udp.ts";

/** Longest silence where neither idle timeout says else: of sessions that go on, and of questions with answers. */
const IDLE_MS = 60_000;
const ASKING_IDLE_MS = 10_000;

/** Sections that need a connection, and what to do without one. */
const CONNECTED: Readonly<Record<string, string>> = {
  tls: "datagrams can't be decrypted here; leave DTLS to the backends",
  backends_tls: "backends get the clients' datagrams as they are",
  sni: "there is no hello to read; leave it out",
  proxy_protocol: "backends see the clients' addresses with udp.transparent = true",
};

/**
 * The datagrams of a server from its section, undefined where it has none; what is wrong is reported.
 * @param server All keys of the server that were given.
 * @param idleMs The shorter of its idle timeouts; 0 where there is none.
 */
export function udpOf(
  read: Read<Record<string, unknown>> | undefined,
  server: Table,
  routes: ReadRoutes,
  idleMs: number,
  path: Path,
  report: Report,
): UdpSpec | undefined {
  if (server["protocol"] !== "udp") {
    if (read === undefined) return undefined;
    report.warn([...path, "udp"], 'has no effect without protocol = "udp"\nadd that, or remove it');
    return undefined;
  }
  for (const [section, hint] of Object.entries(CONNECTED)) {
    if (server[section] === undefined) continue;
    report.error([...path, section], `can't be had with protocol = "udp"\n${hint}`);
  }
  refuseHellos(routes, path, report);
  const keys = (read?.values ?? {}) as Partial<UdpKeys>;
  return {
    idleMs: idleMs || (keys.max_responses ? ASKING_IDLE_MS : IDLE_MS),
    maxRequests: keys.max_requests ?? 0,
    maxResponses: keys.max_responses ?? 0,
    maxSessions: keys.max_sessions ?? 4096,
    whenFull: keys.when_full ?? "refuse",
    key: keys.key ?? "address",
    bufferBytes: keys.buffer_size ?? 16_384,
    followPort: keys.follow_port ?? false,
    maxUnanswered: keys.max_unanswered ?? 5,
    answerMs: keys.answer_timeout ?? 5_000,
  };
}

/** A check by TCP says nothing about datagrams; gobetween refuses it as well. */
export function refusePing(server: Table, path: Path, report: Report): void {
  const check = server["healthcheck"] as Table | undefined;
  if (server["protocol"] !== "udp" || check?.["kind"] !== "ping") return;
  const hint = 'use "probe" with probe_protocol = "udp", or "exec"';
  report.error([...path, "healthcheck", "kind"], `"ping" asks by TCP, which says nothing\n${hint}`);
}

function refuseHellos({ routes }: ReadRoutes, path: Path, report: Report): void {
  routes.forEach(({ match = {} }, index) => {
    for (const key of (["sni", "alpn"] as const satisfies (keyof RouteMatch)[])) {
      if (match[key] === undefined) continue;
      const text = 'can\'t be told with protocol = "udp"\nmatch on client alone';
      report.error([...path, "routes", index, "match", key], text);
    }
  });
}
