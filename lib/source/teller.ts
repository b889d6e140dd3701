import { messageOf, StartError } from "../errors.ts";
import type { BaseText, SourceEvents } from "./source.ts";

/** Tells of a watched source what is new: each failure once, and that it has passed. */
export class Teller {
  #why: string | undefined;

  /** Has told nothing yet. */
  constructor(readonly events: SourceEvents) {}

  /** There was an answer; `base` where it is another text than before. */
  answered(base?: BaseText): void {
    if (this.#why !== undefined) this.events.recovered();
    this.#why = undefined;
    if (base !== undefined) this.events.changed(base);
  }

  /** There was none. */
  failed(error: unknown): void {
    const hint = error instanceof StartError && error.hint !== "" ? `; ${error.hint}` : "";
    const why = `${messageOf(error)}${hint}`.replace(/\s*\n\s*/g, "; ");
    if (why !== this.#why) this.events.failed(why);
    this.#why = why;
  }
}
