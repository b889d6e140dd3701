/** Runs tasks one at a time, in the order in which they were asked for. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();
  #ended: Error | undefined;

  /** Runs a task after all that were asked for before, whether they have failed or not. */
  next<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#last.then(() => {
      if (this.#ended === undefined) return task();
      throw this.#ended;
    });
    this.#last = done.catch(() => {}); // whoever asked handles it
    return done;
  }

  /** Tasks that haven't begun fail with this. */
  end(error: Error): void {
    this.#ended = error;
  }
}
