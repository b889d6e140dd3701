/** A line that says what is running, and how long it will take. */

/** Says it on standard error: over and over in one line of a terminal, else a line for each part. */
export class Progress {
  readonly #start = performance.now();
  readonly #terminal = Deno.stderr.isTerminal();
  #doneSeconds = 0;
  #part = "";

  /**
   * @param plannedSeconds What all parts together are expected to take.
   * @param limitSeconds What they may take: {@link over} tells when it is used up.
   */
  constructor(readonly plannedSeconds: number, readonly limitSeconds: number) {}

  /** Something begins that is expected to take so long. `part` is what it belongs to. */
  step(part: string, what: string, seconds: number): void {
    if (this.#terminal) this.#write(`\r\x1b[K${this.#left()} ${part}: ${what}`);
    else if (part !== this.#part) this.#write(`${this.#left()} ${part}\n`);
    this.#part = part;
    this.#doneSeconds += seconds;
  }

  /** Seconds since the start. */
  get elapsedSeconds(): number {
    return (performance.now() - this.#start) / 1_000;
  }

  /** Would something that takes so long be over only after the limit? */
  over(seconds: number): boolean {
    return this.elapsedSeconds + seconds > this.limitSeconds;
  }

  /** The last step is over: the line is removed. */
  end(): void {
    if (this.#terminal) this.#write("\r\x1b[K");
  }

  #left(): string {
    const share = Math.min(
      99,
      Math.floor(100 * this.#doneSeconds / this.plannedSeconds),
    );
    const left = Math.max(0, this.plannedSeconds - this.#doneSeconds);
    const pace = this.#doneSeconds < 10 ? 1 : this.elapsedSeconds / this.#doneSeconds;
    return `[${String(share).padStart(2)} %, ${clock(left * pace)} left]`;
  }

  #write(text: string): void {
    Deno.stderr.writeSync(new TextEncoder().encode(text));
  }
}

function clock(seconds: number): string {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
