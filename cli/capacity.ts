import { descriptorBudget } from "../lib/host/budget.ts";
import type { Log } from "../lib/log.ts";
import type { Config } from "../lib/model.ts";
import type { Balancer } from "./balancer.ts";

/** Sets how many sessions the process may have, from the descriptor limit and the configuration. */
export function setCapacity(balancer: Balancer, config: Config, log: Log): void {
  const listeners = config.servers.size * balancer.workers.options.count;
  const open = balancer.openDescriptors + listeners;
  const handshakes = [...config.servers.values()]
    .reduce((sum, { tls }) => sum + 2 * (tls?.maxUnfinished ?? 0), 0);
  const allowed = descriptorBudget(balancer.descriptors, open, handshakes).sessions;
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
