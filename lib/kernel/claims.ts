import { type Nft, NftError } from "../host/nft.ts";
import type { ProcessStarts } from "../host/process_starts.ts";
import { type Listed, parseListing } from "./listing.ts";
import { markOf, type Owner, type Standing, standingOf } from "./owner.ts";

/** What {@link Claims} works with. */
export type ClaimsOptions = {
  readonly nft: Nft;
  /** The number of this process. */
  readonly pid: number;
  readonly processStarts: (pids: readonly number[]) => Promise<ProcessStarts | undefined>;
};

/** A table in the kernel, and how its owner stands to this process. */
export type Claimed = Listed & { readonly standing: Standing };

/** Whose tables are in the kernel. Others than Twixt's aren't even looked at. */
export class Claims {
  #own: Promise<Owner> | undefined;

  /** Asks nobody yet. */
  constructor(readonly options: ClaimsOptions) {}

  /** The mark of this process. */
  async mark(): Promise<string> {
    return markOf(await this.#self());
  }

  /** All tables of ours and of other Twixts. @throws NftError */
  async list(): Promise<Map<string, Claimed>> {
    const listed = parseListing(await this.options.nft.counters());
    if (listed.size === 0) return new Map();
    const own = await this.#self();
    const pids = [...listed.values()].flatMap(({ owner }) =>
      owner?.namespace === own.namespace && owner.pid !== own.pid ? [owner.pid] : []
    );
    const starts = pids.length === 0
      ? new Map<number, number>()
      : (await this.options.processStarts([...new Set(pids)]))?.starts;
    return new Map(
      [...listed].map(([name, table]) => [
        name,
        { ...table, standing: standingOf(table.owner, own, starts) },
      ]),
    );
  }

  #self(): Promise<Owner> {
    return this.#own ??= this.#ask().catch((error) => {
      this.#own = undefined; // the next one asks again
      throw error;
    });
  }

  async #ask(): Promise<Owner> {
    const { pid } = this.options;
    const { namespace, starts } = await this.options.processStarts([pid]) ?? {};
    const startedAt = starts?.get(pid);
    if (namespace !== undefined && startedAt !== undefined) return { namespace, pid, startedAt };
    const hint = "it needs sh, and /proc";
    throw new NftError("this process can't be told from others", hint);
  }
}
