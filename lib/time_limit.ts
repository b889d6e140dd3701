/** A limit of time for one thing. Dispose it. */
export class TimeLimit implements Disposable {
  /** Aborts when the time is over, or with the outer signal. */
  readonly signal: AbortSignal;
  /** The time was over, nobody has told us to stop. */
  late = false;
  /** How long after its end it was noticed, milliseconds: this process was busy for so long. */
  lateByMs = 0;
  readonly #controller = new AbortController();
  readonly #stop = () => this.#controller.abort();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Begins at once. */
  constructor(public ms: number, readonly outer?: AbortSignal) {
    this.signal = this.#controller.signal;
    if (outer?.aborted) this.#stop();
    outer?.addEventListener("abort", this.#stop, { once: true });
    this.restart(ms);
  }

  /** Counts anew from now. */
  restart(ms: number): void {
    this.ms = ms;
    clearTimeout(this.#timer);
    const end = performance.now() + ms;
    this.#timer = setTimeout(() => {
      this.late = true;
      this.lateByMs = performance.now() - end;
      this.#stop();
    }, ms);
  }

  /** Lets it be over without anything happening. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.outer?.removeEventListener("abort", this.#stop);
  }
}
