import type { Nft } from "../host/nft.ts";
import type { Log } from "../log.ts";
import type { Claims } from "./claims.ts";
import type { FlowEnder } from "./flow_ender.ts";
import { parseTableName } from "./names.ts";
import { markOf } from "./owner.ts";
import { removing } from "./transaction.ts";

/** What the sweep works with. */
export type SweepOptions = {
  readonly nft: Nft;
  readonly claims: Claims;
  readonly flows: FlowEnder;
  readonly log: Log;
};

/**
 * Removes the tables of processes that were killed: they would go on leading clients to backends that nobody checks. Where
 * nothing can be done, because there is no nft or we may not use it, we can't have left anything. It never throws.
 */
export async function sweepTables({ nft, claims, flows, log }: SweepOptions): Promise<void> {
  const listed = await claims.list().catch(() => new Map<never, never>());
  for (const [table, { standing, owner }] of listed) {
    if (standing !== "dead" || owner === undefined) continue;
    const pid = owner.pid;
    try {
      await nft.apply(removing(table, markOf(owner)));
      const server = parseTableName(table);
      if (server?.protocol === "udp") await flows.endAll({ ...server, hostname: "::" });
      log.info("what a dead process has left in the kernel was removed", { table, pid });
    } catch {
      // another process was quicker
    }
  }
}
