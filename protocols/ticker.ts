/** Milliseconds between two ticks. Every deadline of the data plane is rounded up to it. */
export const TICK_MS = 100;

/**
 * The one timer of a worker: coarse time, heartbeat, sweeps and dial deadlines all hang on it, so no
 * connection needs a timer of its own.
 */
export class Ticker {
  /** Milliseconds, as of the last tick, or of a deadline that was asked for when the next one was late. */
  now = 0;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #deadlines = new Map<number, AbortController>();
  #waiting: (() => void)[] = [];

  /**
   * Ticks until it is disposed.
   *
   * @param clock Gives the time at each tick.
   * @param onTick Called once a tick.
   */
  constructor(readonly clock: () => number, readonly onTick: () => void) {
    this.now = clock();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** A signal that aborts `ms` from now. All that ask for the same in one tick share it. */
  deadline(ms: number): AbortSignal {
    const time = this.clock();
    if (time - this.now > TICK_MS) this.now = time; // the loop is busy and the tick late: nothing may end early
    const due = this.now + ms + TICK_MS; // `now` is up to a tick old
    let controller = this.#deadlines.get(due);
    if (controller === undefined) this.#deadlines.set(due, controller = new AbortController());
    return controller.signal;
  }

  /** Resolves with the next tick. */
  next(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #tick(): void {
    this.now = this.clock();
    for (const [due, controller] of this.#deadlines) {
      if (due > this.now) continue;
      this.#deadlines.delete(due);
      controller.abort();
    }
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
    this.onTick();
  }

  /** Stops the clock; whoever waits for a tick goes on at once, and pending deadlines abort. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    for (const resolve of this.#waiting.splice(0)) resolve();
    for (const controller of this.#deadlines.values()) controller.abort();
    this.#deadlines.clear();
  }
}
