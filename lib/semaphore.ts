import { onAbort } from "./own.ts";

/** How a task waits for its place. */
export type Waiting = {
  /** Ends the wait: the task isn't run any more. */
  readonly signal: AbortSignal;
  /** Whose task it is: each owner gets every other place in turn, however many tasks another has. */
  readonly owner: string;
};

/** Lets a bounded number of tasks run at a time; the others wait, those of one owner in order, owners in turn. */
export class Semaphore {
  /** Who waits, by owner; the first owner is the next. Never an empty set. */
  readonly #waiting = new Map<string, Set<() => void>>();
  #free: number;

  /** Has `places` places, at least 1. */
  constructor(places: number) {
    this.#free = places;
  }

  /** Runs `task` as soon as there is a place. @throws the signal's reason when it aborts before. */
  async run<T>(task: () => Promise<T>, waiting?: Waiting): Promise<T> {
    waiting?.signal.throwIfAborted();
    if (this.#free > 0) this.#free--;
    else await this.#wait(waiting);
    try {
      return await task();
    } finally {
      this.#pass();
    }
  }

  async #wait({ signal, owner }: Partial<Waiting> = {}): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const key = owner ?? "";
    const queue = this.#waiting.get(key) ?? new Set();
    this.#waiting.set(key, queue.add(resolve));
    using _leave = signal && onAbort(signal, () => {
      if (!queue.delete(resolve)) return; // it has its place already
      if (queue.size === 0 && this.#waiting.get(key) === queue) this.#waiting.delete(key);
      reject(signal.reason);
    });
    await promise;
  }

  /** Gives a place to the next in turn. */
  #pass(): void {
    const [next] = this.#waiting;
    if (next === undefined) return void this.#free++;
    const [owner, queue] = next;
    this.#waiting.delete(owner);
    const [resolve] = queue;
    queue.delete(resolve!);
    if (queue.size > 0) this.#waiting.set(owner, queue); // to the end
    resolve!();
  }
}
