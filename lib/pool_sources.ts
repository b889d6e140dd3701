import type { Clock } from "./clock.ts";
import { messageOf, WatchRefusedError } from "./errors.ts";
import type { RunProgram } from "./host/program.ts";
import type { DiscoveryContext, DiscoveryKind } from "./kinds.ts";
import type { Log } from "./log.ts";
import { type Backend, backendKey, type DiscoverySpec, MAX_LISTED } from "./model.ts";
import type { SourceStatus } from "./status.ts";
import { poll } from "./poll.ts";
import type { Registry } from "./registry.ts";
import { Skips } from "./skips.ts";
import { SourceState } from "./source_state.ts";

/** What sources are asked with, and whom they tell. */
export type PoolSourcesOptions = {
  readonly discoveries: Registry<DiscoveryKind>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly run: RunProgram;
  /** Says which pool it speaks of. */
  readonly log: Log;
  /** The pool's name, for the log. */
  readonly pool: string;
  /** What they list may have changed. */
  onChange(): void;
  /** Milliseconds since 1970. */
  wallTime(): number;
};

/** How one source is asked, and whom it tells. */
type Question = {
  readonly kind: DiscoveryKind;
  readonly spec: DiscoverySpec;
  contextOf(signal: AbortSignal): DiscoveryContext;
  /** Begins a list anew. */
  restart(): void;
  onAnswer(list: readonly Backend[]): void;
  onFailure(error: unknown): void;
  /** It can't be listened to. Told once, until it can be, or can't for another reason. */
  onDeaf(why: string): void;
};

/** Longest pause before a source that answers again is listened to again, whatever its interval. */
const RETRY_MS = 10_000;
/** A source that is listened to for so long does tell of changes. */
const LONG_MS = 10_000;
/** Shortest wait after an answer that holds for no time at all. */
const MIN_HOLD_MS = 1_000;

/** How listening to a source has ended. */
type Heard = {
  readonly error: unknown;
  /** It gave its list before. */
  readonly listed: boolean;
};

/** The discoveries of one pool: asks each again and again, and merges what they list. {@link stop} ends them. */
export class PoolSources {
  #sources: SourceState[] = [];
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
    this.#sources = specs.map((spec, index) => {
      const fixed = this.options.discoveries.get(spec.kind).fixed ?? false;
      return new SourceState(spec, known[index]?.list, { ...this.options, fixed });
    });
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

  /** How each of them does. */
  status(): SourceStatus[] {
    return this.#sources.map((source) => source.status());
  }

  /** Asks nobody any more; the lists stay. */
  stop(): void {
    this.#stop.abort();
  }

  /** Starts the loop of one source. Resolves with its first answer or failure. */
  #run(source: SourceState, signal: AbortSignal): Promise<void> {
    const kind = this.options.discoveries.get(source.spec.kind);
    const skips = new Skips();
    const first = Promise.withResolvers<void>();
    const question: Question = {
      kind,
      spec: source.spec,
      contextOf: (signal) => ({
        signal,
        run: this.options.run,
        skip: (entry, why) => skips.add(entry, why),
      }),
      restart: () => skips.restart(),
      onAnswer: (list) => {
        source.answered(bounded(list, skips));
        this.#tellSkipped(skips);
        this.options.onChange();
        first.resolve();
      },
      onFailure: (error) => {
        if (source.failed(error)) this.options.onChange();
        first.resolve();
      },
      onDeaf: (why) => source.deaf(why),
    };
    void (kind.watch === undefined ? this.#poll(question, signal) : this.#follow(question, signal));
    return first.promise;
  }

  /** Asks again and again, or until the first answer. */
  #poll({ kind, spec, ...question }: Question, signal: AbortSignal, once = false): Promise<void> {
    const intervalMs = kind.fixed ? 0 : spec.intervalMs;
    let holdsMs = Infinity;
    return poll<readonly Backend[]>({
      ...this.options,
      intervalMs,
      timeoutMs: spec.timeoutMs,
      signal,
      ask: (signal) => {
        question.restart();
        holdsMs = Infinity;
        const holds = (ms: number) => holdsMs = Math.max(MIN_HOLD_MS, ms);
        return kind.find(spec.options, { ...question.contextOf(signal), holds });
      },
      onAnswer: (list) => {
        question.onAnswer(list);
        return once ? 0 : Math.min(intervalMs, holdsMs);
      },
      onFailure: question.onFailure,
    });
  }

  /**
   * Listens to a source that tells of changes. While it doesn't, it is asked, and only what it answers then makes it a
   * source that fails. One that has told for a while is listened to again as soon as it answers; the pause grows while it
   * breaks off at once, up to the interval. One that lets nobody listen is asked at its interval.
   */
  async #follow(question: Question, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.options;
    const intervalMs = question.spec.intervalMs || RETRY_MS;
    let brief = 0; // times in a row
    let deaf = ""; // why it can't be listened to, as it was logged
    while (!signal.aborted) {
      const since = clock.now();
      const { error, listed } = await this.#listen(question, signal);
      if (signal.aborted) return;
      brief = clock.now() - since >= LONG_MS ? 0 : brief + 1;
      const refused = error instanceof WatchRefusedError;
      const answered = refused && listed || await this.#once(question, signal);
      if (brief === 0) deaf = "";
      else if (answered && (refused || brief > 1) && messageOf(error) !== deaf) {
        question.onDeaf(deaf = messageOf(error));
      }
      const pauseMs = refused ? intervalMs : brief === 0 ? 0 : retryMs(brief, intervalMs);
      await clock.sleep(pauseMs * (1 - random() / 10), signal);
    }
  }

  /** Asks until there is an answer. Gives whether the first question was answered. */
  async #once(question: Question, signal: AbortSignal): Promise<boolean> {
    let failed = false;
    const onFailure = (error: unknown) => {
      failed = true;
      question.onFailure(error);
    };
    await this.#poll({ ...question, onFailure }, signal, true);
    return !failed;
  }

  /** Takes each list that a source tells of. Resolves when it tells nothing any more; the first has a time limit. */
  async #listen({ kind, spec, ...question }: Question, outer: AbortSignal): Promise<Heard> {
    const stop = new AbortController();
    const end = () => stop.abort();
    outer.addEventListener("abort", end, { once: true });
    let late = false;
    let listed = false;
    const timer = setTimeout(() => {
      late = true;
      end();
    }, spec.timeoutMs);
    try {
      question.restart();
      for await (const list of kind.watch!(spec.options, question.contextOf(stop.signal))) {
        clearTimeout(timer);
        if (stop.signal.aborted) break;
        listed = true;
        question.onAnswer(list);
        question.restart();
      }
      return { error: new Error("the source has stopped telling of changes"), listed };
    } catch (error) {
      return { error: late ? new Error(`no answer within ${spec.timeoutMs} ms`) : error, listed };
    } finally {
      clearTimeout(timer);
      outer.removeEventListener("abort", end);
    }
  }

  #tellSkipped(skips: Skips): void {
    const skipped = skips.report();
    const { log, pool } = this.options;
    if (skipped) log.warning("discovered backends were skipped", { pool, ...skipped });
  }
}

/** What is taken of a list, however long it is. */
function bounded(list: readonly Backend[], skips: Skips): readonly Backend[] {
  const over = list[MAX_LISTED];
  if (over === undefined) return list;
  const why = `a source may name ${MAX_LISTED} backends`;
  skips.addAll(list.length - MAX_LISTED, backendKey(over), why);
  return list.slice(0, MAX_LISTED);
}

/** The pause after so many tries in a row to listen to a source that broke off at once. */
function retryMs(brief: number, intervalMs: number): number {
  return Math.min(intervalMs, RETRY_MS, 1_000 * 2 ** Math.min(brief - 1, 20));
}
