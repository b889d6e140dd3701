/** Where a {@link LineWriter} writes: a file or a standard stream. */
export type ByteSink = {
  write(bytes: Uint8Array): Promise<number>;
  close?(): void;
};

/** Bytes that may wait to be written; what comes on top is dropped and counted. */
const MAX_WAITING = 1 << 20;
/** Pause after a write that failed (a full disk, a reader that has gone). */
const RETRY_MS = 1_000;

/**
 * Writes lines one after another without ever blocking whoever logs: a slow reader or a full disk costs
 * lines, which are counted and reported when writing works again, and nothing else.
 */
export class LineWriter {
  readonly #encoder = new TextEncoder();
  #waiting: Uint8Array[] = [];
  #bytes = 0;
  #dropped = 0;
  #lost = 0;
  #busy: Promise<void> | undefined;
  #sink: ByteSink | undefined;
  #closed = false;
  /** What was written last ended within a line. */
  #torn = false;

  /**
   * Opens nothing before the first line.
   *
   * @param open Opens what is written to; called again after a failure and by {@link reopen}.
   * @param report The line that tells of dropped ones.
   */
  constructor(
    readonly open: () => Promise<ByteSink>,
    readonly report: (dropped: number) => string,
    readonly retryMs: number = RETRY_MS,
  ) {}

  /** Lines dropped since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Queues a line, or drops it when too much is waiting. */
  write(line: string): void {
    const bytes = this.#encoder.encode(line);
    if (this.#closed || this.#bytes + bytes.length > MAX_WAITING) {
      this.#dropped++;
      this.#lost++;
      return;
    }
    this.#waiting.push(bytes);
    this.#bytes += bytes.length;
    this.#busy ??= this.#drain();
  }

  /** Opens the file anew with the next line, for log rotation. */
  reopen(): void {
    this.#sink?.close?.();
    this.#sink = undefined;
  }

  /** Resolves when everything is written, or after `ms`; then closes. */
  async close(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    await Promise.race([this.#busy, promise]);
    clearTimeout(timer);
    this.#closed = true;
    this.reopen();
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = join(this.#waiting.splice(0));
      const written = await this.#writeAll(batch);
      this.#bytes -= batch.length;
      if (written < batch.length) {
        this.#lose(batch, written);
        if (this.#closed) break;
        await new Promise((resolve) => setTimeout(resolve, this.retryMs));
      } else if (this.#lost > 0) {
        const lost = this.#lost;
        this.#lost = 0;
        this.write(this.report(lost));
      }
    }
    this.#busy = undefined; // with nothing awaited since the last look: a line that came then would be left lying
  }

  /** Returns how many bytes were taken: all of them, or fewer after a failure. */
  async #writeAll(bytes: Uint8Array): Promise<number> {
    let at = 0;
    try {
      this.#sink ??= await this.open();
      if (this.#torn) {
        await this.#sink.write(NEW_LINE);
        this.#torn = false;
      }
      while (at < bytes.length) at += await this.#sink.write(bytes.subarray(at));
    } catch {
      this.reopen(); // whatever it was: the lines are lost and counted, the next try is a second away
    }
    return at;
  }

  /** Counts the lines of which some or all is missing. */
  #lose(batch: Uint8Array, written: number): void {
    let lines = 0;
    for (let at = written; at < batch.length; at++) if (batch[at] === LF) lines++;
    if (written > 0) this.#torn = batch[written - 1] !== LF;
    this.#dropped += lines;
    this.#lost += lines;
  }
}

const LF = 0x0a;
const NEW_LINE = Uint8Array.of(LF);

function join(chunks: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}
