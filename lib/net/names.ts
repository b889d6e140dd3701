import { type Clock, MAX_TIMER_MS } from "../clock.ts";
import { messageOf } from "../errors.ts";
import { poll } from "../poll.ts";
import { Semaphore } from "../semaphore.ts";
import { TimeLimit } from "../time_limit.ts";
import type { Addresses } from "./dns/addresses.ts";

/** Asks for the addresses of a name. Throws when there are none. */
export type Lookup = (host: string, signal: AbortSignal) => Promise<Addresses>;

/** What a name is watched with. */
export type NamesOptions = {
  readonly lookup: Lookup;
  readonly clock: Clock;
  readonly random: () => number;
  /** Told of names that can't be resolved, each once until it can be again; those of a second together. */
  onFailures(failed: FailedNames): void;
};

/** Names that can't be resolved: the first few with the reason. */
export type FailedNames = { readonly count: number; readonly examples: readonly string[] };

/** Names asked for at the same time: each may take one of the runtime's blocking threads, which file reads need, too. */
const PLACES = 8;
/** Longest pause while a name can't be resolved. */
const RETRY_MS = 10_000;
/** Addresses taken of one name. */
const MAX_ADDRESSES = 256;
const MAX_EXAMPLES = 5;
/** How long failures are gathered for one line of the log. */
const GATHER_MS = 1_000;
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
  readonly #places = new Semaphore(PLACES);
  #failed: { count: number; readonly examples: string[] } | undefined;

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
    const { clock, random } = this.options;
    const watched: Watched = {
      addresses: undefined,
      failing: false,
      watchers: new Set(),
      stop: new AbortController(),
    };
    this.#watched.set(host, watched);
    void poll<Addresses>({
      intervalMs: RETRY_MS,
      timeoutMs: MAX_TIMER_MS, // the lookup's own limit starts when it has a place
      clock,
      random,
      signal: watched.stop.signal,
      ask: (signal) => this.#lookUp(host, signal),
      onAnswer: ({ addresses, ttlMs }) => {
        watched.failing = false;
        const sorted = [...addresses].sort().slice(0, MAX_ADDRESSES);
        if (watched.addresses?.join() !== sorted.join()) {
          watched.addresses = sorted;
          for (const changed of watched.watchers) changed();
        }
        return Math.min(MAX_TTL_MS, Math.max(MIN_TTL_MS, ttlMs));
      },
      onFailure: (error) => {
        if (!watched.failing) this.#tell(host, messageOf(error));
        watched.failing = true;
      },
    });
    return watched;
  }

  #lookUp(host: string, signal: AbortSignal): Promise<Addresses> {
    return this.#places.run(async () => {
      using limit = new TimeLimit(LOOKUP_MS, signal);
      try {
        return await this.options.lookup(host, limit.signal);
      } catch (error) {
        throw limit.late ? new Error(`no answer within ${LOOKUP_MS} ms`) : error;
      }
    }, { signal, owner: "" });
  }

  #tell(host: string, why: string): void {
    const { clock, onFailures } = this.options;
    if (this.#failed === undefined) {
      this.#failed = { count: 0, examples: [] };
      void clock.sleep(GATHER_MS).then(() => {
        const failed = this.#failed!;
        this.#failed = undefined;
        onFailures(failed);
      });
    }
    if (this.#failed.count++ < MAX_EXAMPLES) this.#failed.examples.push(`${host}: ${why}`);
  }
}
