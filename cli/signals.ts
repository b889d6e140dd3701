/** What an operator asks of a running process. */
export type Order = "stop" | "reload" | "yield" | "fault";

/**
 * Registers all signal handlers at once: adding the first one when descriptors are short would end the
 * process. Orders that come before {@link Signals.next} is called wait. Disposing restores the defaults.
 */
export class Signals {
  readonly #orders: Order[] = [];
  readonly #handlers: [Deno.Signal, () => void][];
  readonly #stop = new AbortController();
  #waiting: ((order: Order) => void) | undefined;

  /** With `faults`, a test hook, SIGQUIT orders a fault instead of ending the process. */
  constructor(faults: boolean) {
    const orders: [Deno.Signal, Order][] = [
      ["SIGTERM", "stop"],
      ["SIGINT", "stop"],
      ["SIGHUP", "reload"],
      ["SIGUSR2", "yield"],
    ];
    if (faults) orders.push(["SIGQUIT", "fault"]);
    this.#handlers = orders
      .filter(([signal]) => Deno.build.os !== "windows" || signal === "SIGINT")
      .map(([signal, order]) => [signal, () => this.#arrive(order)]);
    for (const [signal, handler] of this.#handlers) Deno.addSignalListener(signal, handler);
  }

  /** Aborts with the first order to stop, which {@link Signals.next} gives as well. */
  get stop(): AbortSignal {
    return this.#stop.signal;
  }

  /** The next order. Only one caller may wait. */
  next(): Promise<Order> {
    const order = this.#orders.shift();
    if (order !== undefined) return Promise.resolve(order);
    return new Promise((resolve) => this.#waiting = resolve);
  }

  #arrive(order: Order): void {
    if (order === "stop") this.#stop.abort();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) this.#orders.push(order);
    else waiting(order);
  }

  /** Gives the signals their default meaning back. */
  [Symbol.dispose](): void {
    for (const [signal, handler] of this.#handlers) Deno.removeSignalListener(signal, handler);
  }
}
