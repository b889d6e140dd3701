import { descriptorBudget } from "../lib/host/budget.ts";
import type { HostFacts } from "../lib/host/facts.ts";
import type { Log } from "../lib/log.ts";
import type { Config } from "../lib/model.ts";
import { isOneWay } from "../lib/udp_spec.ts";
import type { Balancer } from "./balancer.ts";

/** Sets how many sessions the process may have, from the descriptor limit and the configuration. */
export function setCapacity(balancer: Balancer, config: Config, log: Log): void {
  const listeners = config.servers.size * balancer.workers.options.count;
  const open = balancer.openDescriptors + listeners;
  const handshakes = [...config.servers.values()]
    .reduce((sum, { tls }) => sum + 2 * (tls?.maxUnfinished ?? 0), 0);
  const allowed = descriptorBudget(balancer.descriptors, open, handshakes).sessions;
  const datagrams = config.servers.values()
    .filter(({ udp, forward }) => udp !== undefined && forward === undefined && !isOneWay(udp))
    .reduce((sum, { udp }) => sum + udp!.maxSessions, 0);
  if (datagrams > allowed) { // they have half of the places, and two share one
    log.warning(
      "the descriptor limit allows fewer sessions of datagrams than max_sessions; raise it: ulimit -n",
      {
        max_sessions: datagrams,
        allowed,
        descriptors: balancer.descriptors ?? "unknown",
      },
    );
  }
  const wanted = config.process.maxSessions ?? allowed;
  if (wanted > allowed) {
    log.warning(`max_sessions is more than the descriptor limit allows; raise it: ulimit -n`, {
      max_sessions: wanted,
      allowed,
      descriptors: balancer.descriptors ?? "unknown",
    });
  }
  balancer.counters.capacity = Math.min(wanted, allowed);
}

/** The kernel keeps so much of a burst, at least, as servers of datagrams should have. */
const RECEIVE_BUFFER = 1 << 20;
/** What the kernel counts for a datagram of 1,200 bytes. */
const DATAGRAM_BYTES = 2_304;

/** Warns where the kernel keeps only a few datagrams that have come all at once. */
export function tellOfReceiveBuffer(config: Config, facts: HostFacts, log: Log): void {
  const { receiveBuffer } = facts;
  if (receiveBuffer === undefined || receiveBuffer >= RECEIVE_BUFFER) return;
  if (
    ![...config.servers.values()].some(({ udp, forward }) =>
      udp !== undefined && forward === undefined
    )
  ) return;
  const datagrams = Math.floor(receiveBuffer / DATAGRAM_BYTES);
  log.warning(
    `of bursts of more than ${datagrams} datagrams the kernel drops the rest; ` +
      "to have it keep more: sysctl -w net.core.rmem_default=4194304",
    { rmem_default: receiveBuffer },
  );
}
