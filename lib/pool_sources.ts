import type { Clock } from "./clock.ts";
import { messageOf } from "./errors.ts";
import type { DiscoveryKind } from "./kinds.ts";
import type { Log } from "./log.ts";
import { type Backend, backendKey, type DiscoverySpec } from "./model.ts";
import { poll } from "./poll.ts";
import type { Registry } from "./registry.ts";
import { Skips } from "./skips.ts";

/** What sources are asked with, and whom they tell. */
export type PoolSourcesOptions = {
  readonly discoveries: Registry<DiscoveryKind>;
  readonly clock: Clock;
  readonly random: () => number;
  /** Says which pool it speaks of. */
  readonly log: Log;
  /** The pool's name, for the log. */
  readonly pool: string;
  /** What they list may have changed. */
  onChange(): void;
};

/** One discovery and the list it gave last. */
type Source = { readonly spec: DiscoverySpec; list: readonly Backend[] | undefined };

/** The discoveries of one pool: asks each again and again, and merges what they list. {@link stop} ends them. */
export class PoolSources {
  #sources: Source[] = [];
  #stop = new AbortController();
  #first: Promise<unknown> = Promise.resolve();

  /** Asks nobody yet. */
  constructor(readonly options: PoolSourcesOptions) {}

  /** Resolves when every source has answered or failed once since it was started or changed. */
  get ready(): Promise<unknown> {
    return this.#first;
  }

  /** Has every source answered at least once? */
  get answered(): boolean {
    return this.#sources.every(({ list }) => list !== undefined);
  }

  /** Asks these from now on. The list of one that is replaced stays in use until the new one has answered. */
  start(specs: readonly DiscoverySpec[]): void {
    this.stop();
    this.#stop = new AbortController();
    const known = this.#sources;
    this.#sources = specs.map((spec, index) => ({ spec, list: known[index]?.list }));
    const { signal } = this.#stop;
    this.#first = Promise.all(this.#sources.map((source) => this.#run(source, signal)));
  }

  /** What all of them list, by `host:port`; of equals the last. */
  backends(): ReadonlyMap<string, Backend> {
    const listed = new Map<string, Backend>();
    for (const { list } of this.#sources) {
      for (const backend of list ?? []) listed.set(backendKey(backend), backend);
    }
    return listed;
  }

  /** Asks nobody any more; the lists stay. */
  stop(): void {
    this.#stop.abort();
  }

  /** Starts the loop of one source. Resolves with its first answer or failure. */
  #run(source: Source, signal: AbortSignal): Promise<void> {
    const { spec } = source;
    const kind = this.options.discoveries.get(spec.kind);
    const first = Promise.withResolvers<void>();
    const skips = new Skips();
    void poll<readonly Backend[]>({
      ...this.options,
      intervalMs: kind.fixed ? 0 : spec.intervalMs,
      timeoutMs: spec.timeoutMs,
      signal,
      ask: (signal) => {
        skips.restart();
        return kind.find(spec.options, { signal, skip: (entry, why) => skips.add(entry, why) });
      },
      onAnswer: (list) => {
        this.#tellSkipped(skips);
        source.list = list;
        this.options.onChange();
        first.resolve();
      },
      onFailure: (error) => {
        this.#failed(source, error);
        first.resolve();
      },
    });
    return first.promise;
  }

  #failed(source: Source, error: unknown): void {
    const { log, pool, onChange } = this.options;
    log.error("discovery failed", { pool, kind: source.spec.kind, why: messageOf(error) });
    if (source.spec.failpolicy === "keeplast") return;
    source.list = [];
    onChange();
  }

  #tellSkipped(skips: Skips): void {
    const skipped = skips.report();
    const { log, pool } = this.options;
    if (skipped) log.warning("discovered backends were skipped", { pool, ...skipped });
  }
}
