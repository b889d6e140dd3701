import { messageOf, printable } from "./errors.ts";
import type { Log } from "./log.ts";
import { maskSecrets } from "./mask.ts";
import { type Backend, backendKey, type DiscoverySpec } from "./model.ts";
import type { SourceStatus } from "./status.ts";

/** What a source is told of with. */
export type SourceSurroundings = {
  /** Says which pool it speaks of. */
  readonly log: Log;
  readonly pool: string;
  /** Its answer can't change, so the log needn't tell of it. */
  readonly fixed: boolean;
  /** Milliseconds since 1970. */
  wallTime(): number;
};

/** Reasons that are told of one failure after another: a source may have another each time. */
const MAX_FAILURES = 10;
/** Longest reason, and longest name of a source. */
const MAX_LENGTH = 300;

/** One discovery of a pool: the list that it gave last, whether it answers now, and what the log says of that. */
export class SourceState {
  readonly #about: { readonly pool: string; readonly kind: string; readonly source: string };
  readonly #failures = new Set<string>();
  #failing: SourceStatus["failing"];

  /**
   * Has asked nobody yet.
   * @param list Of the source whose place it takes; undefined before any answer.
   */
  constructor(
    readonly spec: DiscoverySpec,
    public list: readonly Backend[] | undefined,
    readonly surroundings: SourceSurroundings,
  ) {
    const source = nameOf(spec);
    this.#about = { pool: surroundings.pool, kind: spec.kind, source };
  }

  /** Its state now. */
  status(): SourceStatus {
    const { kind, source } = this.#about;
    return { kind, source, backends: this.list?.length, failing: this.#failing };
  }

  /** It has given a list. */
  answered(list: readonly Backend[]): void {
    const before = this.list;
    this.list = list;
    const { log, fixed } = this.surroundings;
    if (this.#failing !== undefined) {
      log.info("discovery answers again", { ...this.#about, backends: list.length });
    }
    this.#failing = undefined;
    this.#failures.clear();
    if (fixed) return; // the configuration has it, and was judged with it
    if (list.length === 0 && before?.length !== 0) {
      log.warning("discovery lists no backends", { ...this.#about, before: before?.length ?? 0 });
    } else this.#tellChange(before ?? [], list);
  }

  /** It has failed. Each reason is told once, until it answers. @returns whether its list has changed. */
  failed(error: unknown): boolean {
    const { log, wallTime } = this.surroundings;
    const why = shorten(printable(messageOf(error)));
    const gone = this.spec.failpolicy === "setempty";
    if (!this.#failures.has(why) && this.#failures.size < MAX_FAILURES) {
      this.#failures.add(why);
      const stays = gone ? 0 : this.list?.length ?? 0;
      log.error("discovery failed", { ...this.#about, why, backends: stays });
    }
    this.#failing = { why, sinceMs: this.#failing?.sinceMs ?? wallTime() };
    if (gone) this.list = [];
    return gone;
  }

  /** It doesn't tell of changes, so it is asked. */
  deaf(why: string): void {
    const about = { ...this.#about, why: shorten(printable(why)) };
    this.surroundings.log.warning(
      "a source doesn't tell of changes: it is asked again and again",
      about,
    );
  }

  #tellChange(before: readonly Backend[], after: readonly Backend[]): void {
    const known = new Set(before.map(backendKey));
    const kept = after.filter((backend) => known.has(backendKey(backend))).length;
    const [added, removed] = [after.length - kept, before.length - kept];
    if (added + removed === 0) return;
    const counts = { backends: after.length, added, removed };
    this.surroundings.log.info("discovery lists other backends", { ...this.#about, ...counts });
  }
}

/** What says best which source it is: the first key of its kind. */
function nameOf({ options }: DiscoverySpec): string {
  const [first] = Object.values(options);
  const text = Array.isArray(first) ? first.join(" ") : String(first ?? "");
  return shorten(printable(maskSecrets(text)));
}

function shorten(text: string): string {
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH - 1)}…` : text;
}
