import type { BackendStatus, ServerStatus } from "../lib/status.ts";

/** A server's counters under gobetween's names: bytes, and bytes a second. */
export function statsOf(status: ServerStatus): Record<string, unknown> {
  const { traffic, refusals } = status;
  return {
    active_connections: whole(traffic.active),
    rx_total: whole(traffic.rx),
    tx_total: whole(traffic.tx),
    rx_second: whole(traffic.rxRate),
    tx_second: whole(traffic.txRate),
    backends: status.backends.map(backendOf),
    // ours, behind gobetween's fields
    refused: {
      over_capacity: whole(refusals.overCapacity),
      over_limit: whole(refusals.overLimit),
      denied: whole(refusals.denied),
      no_backend: whole(refusals.noBackend),
      unknown_proxy: whole(refusals.unknownProxy),
      bad_proxy_header: whole(refusals.badProxyHeader),
      handshake_failed: whole(refusals.handshakeFailed),
      handshake_timed_out: whole(refusals.handshakeTimedOut),
      over_unfinished: whole(refusals.overUnfinished),
      bad_client_certificate: whole(refusals.badClientCertificate),
      no_route: whole(refusals.noRoute),
      bad_hello: whole(refusals.badHello),
      hello_timeout: whole(refusals.helloTimeout),
    },
    unfinished_handshakes: whole(status.unfinishedHandshakes),
    guarded_workers: whole(status.guardedWorkers),
    dropped: status.drops && {
      oversize: whole(status.drops.oversize),
      unsent: whole(status.drops.unsent),
      evicted: whole(status.drops.evicted),
    },
  };
}

/** A backend under gobetween's names, and whether it is draining, which is ours. */
export function backendOf(status: BackendStatus): Record<string, unknown> {
  const { backend, live, discovered, draining, lastCheck, traffic } = status;
  return {
    host: backend.host,
    port: String(backend.port),
    priority: backend.priority,
    weight: backend.weight,
    max_connections: backend.maxConnections || undefined,
    sni: backend.sni || undefined,
    stats: {
      live,
      discovered,
      draining: draining || undefined,
      last_check: lastCheck || undefined,
      total_connections: whole(traffic.total),
      active_connections: whole(traffic.active),
      refused_connections: whole(traffic.refused),
      rx: whole(traffic.rx),
      tx: whole(traffic.tx),
      rx_second: whole(traffic.rxRate),
      tx_second: whole(traffic.txRate),
    },
  };
}

/** Clients read these as unsigned integers: no fraction, no sign, no exponent. */
function whole(count: number): number {
  return count > 0 ? Math.min(Math.floor(count), Number.MAX_SAFE_INTEGER) : 0;
}
