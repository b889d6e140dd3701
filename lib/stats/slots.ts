import { StartError } from "../errors.ts";
import type { Counters } from "./counters.ts";
import { PROCESS_SLOT, SLOTS, UNFINISHED } from "./layout.ts";

/**
 * Hands out slots of the shared counters. A slot that was given back is used again only when no session
 * and no handshake is counted on it and every worker has seen a table without it.
 */
export class Slots {
  readonly #free: number[] = [];
  readonly #leaving = new Map<number, number>();
  #next = PROCESS_SLOT + 1;

  /** All slots but the process's own are free. */
  constructor(readonly counters: Counters) {}

  /** A slot with all counters at zero, or undefined when every one is in use. */
  take(): number | undefined {
    const slot = this.#free.pop() ?? (this.#next < SLOTS ? this.#next++ : undefined);
    if (slot !== undefined) this.counters.clear(slot);
    return slot;
  }

  /** As {@link take}. @throws StartError when every slot is in use. */
  needed(): number {
    const slot = this.take();
    if (slot !== undefined) return slot;
    throw new StartError("the table of counters is full", "use fewer servers, pools or backends");
  }

  /** Gives a slot back; tables up to `version` may still name it. */
  give(slot: number, version: number): void {
    this.#leaving.set(slot, version);
  }

  /** Frees what nobody can be using any more. `seen` is the version that every worker has reached. */
  sweep(seen: number): void {
    for (const [slot, version] of this.#leaving) {
      if (version > seen || this.counters.active(slot) > 0) continue;
      if (this.counters.sum(slot, UNFINISHED) > 0) continue; // whoever leaves is taken off it
      this.#leaving.delete(slot);
      this.#free.push(slot);
    }
  }
}
