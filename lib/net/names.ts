import type { Clock } from "../clock.ts";
import { messageOf } from "../errors.ts";
import { poll } from "../poll.ts";
import type { Addresses } from "./dns/addresses.ts";

/** Asks for the addresses of a name. Throws when there are none. */
export type Lookup = (host: string, signal: AbortSignal) => Promise<Addresses>;

/** What a name is watched with. */
export type NamesOptions = {
  readonly lookup: Lookup;
  readonly clock: Clock;
  readonly random: () => number;
  /** Told of a name that can't be resolved (once, until it can be again), and of changed addresses. */
  onFailure(host: string, why: string): void;
};

/** Shortest and longest time that an answer is used, whatever its TTL says. */
const MIN_TTL_MS = 1_000;
const MAX_TTL_MS = 3_600_000;
/** Longest wait for one answer. */
const LOOKUP_MS = 5_000;

type Watched = {
  addresses: readonly string[] | undefined;
  failing: boolean;
  readonly watchers: Set<() => void>;
  readonly stop: AbortController;
};

/**
 * Keeps the addresses of names up to date: each name is asked for once, again when its TTL ends, and
 * keeps its last addresses while that fails. Workers never resolve anything.
 */
export class Names {
  readonly #watched = new Map<string, Watched>();

  /** Watches nothing yet. */
  constructor(readonly options: NamesOptions) {}

  /** The addresses of a watched name; undefined until the first answer. */
  addresses(host: string): readonly string[] | undefined {
    return this.#watched.get(host)?.addresses;
  }

  /** Watches a name; `changed` is called when its addresses change. */
  watch(host: string, changed: () => void): void {
    const watched = this.#watched.get(host) ?? this.#start(host);
    watched.watchers.add(changed);
  }

  /** Ends a watch. */
  unwatch(host: string, changed: () => void): void {
    const watched = this.#watched.get(host);
    watched?.watchers.delete(changed);
    if (watched === undefined || watched.watchers.size > 0) return;
    this.#watched.delete(host);
    watched.stop.abort();
  }

  #start(host: string): Watched {
    const { lookup, clock, random, onFailure } = this.options;
    const watched: Watched = {
      addresses: undefined,
      failing: false,
      watchers: new Set(),
      stop: new AbortController(),
    };
    this.#watched.set(host, watched);
    void poll<Addresses>({
      intervalMs: MIN_TTL_MS,
      timeoutMs: LOOKUP_MS,
      clock,
      random,
      signal: watched.stop.signal,
      ask: (signal) => lookup(host, signal),
      onAnswer: ({ addresses, ttlMs }) => {
        watched.failing = false;
        const sorted = [...addresses].sort();
        if (watched.addresses?.join() !== sorted.join()) {
          watched.addresses = sorted;
          for (const changed of watched.watchers) changed();
        }
        return Math.min(MAX_TTL_MS, Math.max(MIN_TTL_MS, ttlMs));
      },
      onFailure: (error) => {
        if (!watched.failing) onFailure(host, messageOf(error));
        watched.failing = true;
      },
    });
    return watched;
  }
}
