import { type HostFacts, hostFacts } from "../lib/host/facts.ts";
import type { WorkerLike } from "../lib/workers.ts";

/**
 * What every balancer needs, whatever is configured, and what takes time: a worker, and what the host allows. Made
 * while the configuration is read. Dispose it: a worker that nobody has taken is ended.
 */
export class Ahead implements Disposable {
  /** What the host allows. */
  readonly facts: Promise<HostFacts> = hostFacts();
  readonly #spawn: () => WorkerLike;
  #first: WorkerLike | undefined;

  /** Starts both. */
  constructor(spawn: () => WorkerLike) {
    this.#spawn = spawn;
    this.#first = spawn();
  }

  /** A worker; its owner from now on is who takes it. */
  worker(): WorkerLike {
    const worker = this.#first ?? this.#spawn();
    this.#first = undefined;
    return worker;
  }

  /** Ends the worker, unless somebody has taken it. */
  [Symbol.dispose](): void {
    this.#first?.terminate();
    this.#first = undefined;
  }
}
