import { type Conflict, maskConflict } from "./conflicts.ts";
import type { Log } from "./log.ts";

/** What conflicts are found and told with. */
export type ConflictLogOptions = {
  /** Those that there are now, with their secrets. */
  find(): readonly Conflict[];
  /** Runs a task when no reload or change is under way. */
  queue(task: () => Promise<void>): Promise<void>;
  readonly log: Log;
};

/** Lines of one reload. */
const MOST = 20;
/** Characters of a value: whole sections are shown by the API. */
const MAX_LENGTH = 200;

/** Tells the log of conflicts, each only once. What it returns has its secrets masked. */
export class ConflictLog {
  /** What the base said when the log was told, by place. */
  #told = new Map<string, string>();
  #queued = false;

  /** Looks for nothing yet. */
  constructor(readonly options: ConflictLogOptions) {}

  /** All conflicts that there are now. */
  all(): Conflict[] {
    return this.options.find().map(maskConflict);
  }

  /** After a start or a reload: tells of the conflicts that it has brought, and returns these. */
  reloaded(): Conflict[] {
    const conflicts = this.options.find();
    const brought = conflicts.filter(({ at, base }) => this.#told.get(at) !== textOf(base));
    this.#remember(conflicts);
    return this.#tell(brought);
  }

  /** A discovery has given another weight. One that goes up and down is told of once; many at once are one task. */
  discovered(): void {
    if (this.#queued) return;
    this.#queued = true;
    void this.options.queue(() => {
      this.#queued = false;
      const news = this.options.find().filter(({ at }) => !this.#told.has(at));
      for (const { at, base } of news) this.#told.set(at, textOf(base));
      this.#tell(news);
      return Promise.resolve();
    }).catch(() => {}); // nothing is queued any more: the process is being replaced
  }

  /** After a change by an operator: a conflict that it has ended is news when it comes again. */
  changed(): void {
    this.#remember(this.options.find());
  }

  #remember(conflicts: readonly Conflict[]): void {
    this.#told = new Map(conflicts.map(({ at, base }) => [at, textOf(base)]));
  }

  #tell(conflicts: readonly Conflict[]): Conflict[] {
    const { log } = this.options;
    const masked = conflicts.map(maskConflict);
    for (const { at, field, overlay, base, before } of masked.slice(0, MOST)) {
      log.warning("the API's change wins over a changed configuration", {
        at,
        overlay: short(overlay),
        base: short(base),
        before: short(before),
        to_give_it_back: `DELETE /overlay/${field}`,
      });
    }
    const more = masked.length - MOST;
    if (more > 0) log.warning(`GET /overlay lists ${more} more such conflicts`);
    return masked;
  }
}

function short(value: unknown): string {
  const text = textOf(value);
  return text.length <= MAX_LENGTH ? text : `${text.slice(0, MAX_LENGTH)}…`;
}

function textOf(value: unknown): string {
  return JSON.stringify(value);
}
