/** What a line of a stream has changed; "gone": the stream is no use any more. */
export type Take = (line: string) => "changed" | "same" | "gone";

/** Reads a stream's lines as they come, and tells that something has changed: once, however many lines it was. */
export class Heard {
  /** Settles when the stream is closed; never rejects. */
  readonly ended: Promise<void>;
  /** Lines so far. */
  events = 0;
  /** It didn't end by itself, or a line was of no use. */
  broken = false;
  #changed = false;
  #over = false;
  #wake: (() => void) | undefined;

  /** Reads to the end; whoever has opened the stream closes it. */
  constructor(lines: AsyncIterable<string>, take: Take) {
    this.ended = this.#read(lines, take);
  }

  /** Resolves with the next change, or one since the last call; or when the stream is over. */
  async next(): Promise<"changed" | "over"> {
    if (!this.#changed && !this.#over) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    if (!this.#changed) return "over";
    this.#changed = false;
    return "changed";
  }

  async #read(lines: AsyncIterable<string>, take: Take): Promise<void> {
    try {
      for await (const line of lines) {
        this.events++;
        const news = take(line);
        if (news === "gone") {
          this.broken = true;
          break;
        }
        if (news !== "changed") continue;
        this.#changed = true;
        this.#wake?.();
      }
    } catch {
      this.broken = true; // the connection broke off, or what came over it is no event
    }
    this.#over = true;
    this.#wake?.();
  }
}
