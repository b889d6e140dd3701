/** What `nft -j list counters` prints: our tables, whose they are, and what they have counted. Pure. */
import { TABLE_PREFIX } from "./names.ts";
import { type Owner, parseMark } from "./owner.ts";

/** What a counter has counted. */
export type Count = { readonly packets: number; readonly bytes: number };

/** A table of ours or of another Twixt. */
export type Listed = {
  /** Absent: nobody has marked it. */
  readonly owner?: Owner;
  readonly counts: ReadonlyMap<string, Count>;
};

/** Our tables by name. @throws Error for what isn't such a listing. */
export function parseListing(text: string): Map<string, Listed> {
  const { nftables } = JSON.parse(text) as { nftables?: unknown };
  if (!Array.isArray(nftables)) throw new Error("nft has listed something else than counters");
  const tables = new Map<string, { owner?: Owner; counts: Map<string, Count> }>();
  for (const { counter } of nftables) {
    if (counter?.family !== "inet" || !String(counter.table).startsWith(TABLE_PREFIX)) continue;
    const table: { owner?: Owner; counts: Map<string, Count> } = tables.get(counter.table) ??
      { counts: new Map() };
    tables.set(counter.table, table);
    const owner = parseMark(String(counter.name));
    if (owner !== undefined) table.owner = owner;
    else table.counts.set(counter.name, { packets: counter.packets, bytes: counter.bytes });
  }
  return tables;
}

/** What was counted since. One that has begun anew meanwhile has counted all of it since. */
export function countedSince(before: Count | undefined, now: Count): Count {
  if (before === undefined) return now;
  if (now.packets < before.packets || now.bytes < before.bytes) return now;
  return { packets: now.packets - before.packets, bytes: now.bytes - before.bytes };
}
