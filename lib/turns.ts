/** Runs tasks one at a time, in the order in which they were asked for. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs a task after all that were asked for before, whether they have failed or not. */
  next<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#last.then(task);
    this.#last = done.catch(() => {}); // whoever asked handles it
    return done;
  }
}
