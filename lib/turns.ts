/** Runs tasks one at a time, in the order in which they were asked for. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();
  #ended: Error | undefined;

  /** Runs a task after all that were asked for before, whether they have failed or not. */
  next<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#last.then(() => {
      this.check();
      return task();
    });
    this.#last = done.catch(() => {}); // whoever asked handles it
    return done;
  }

  /** For a task that has waited for something: may it go on? @throws the error that {@link end} was given. */
  check(): void {
    if (this.#ended !== undefined) throw this.#ended;
  }

  /** Tasks that haven't begun fail with this. */
  end(error: Error): void {
    this.#ended ??= error;
  }
}
