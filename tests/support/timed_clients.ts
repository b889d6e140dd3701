/** Clients that mustn't feel what happens elsewhere in the process that serves them. */
import assert from "node:assert/strict";
import { ask } from "./backends.ts";
import { Load } from "./clients.ts";
import type { Twixt } from "./twixt.ts";

/** Longest waits that a busy machine may bring, and no loop that stands still for seconds. */
const P99_MS = 750;
const WORST_MS = 2_500;

/** Clients whose waits are measured. */
export class TimedClients implements AsyncDisposable {
  readonly #servers: string[];
  readonly #took: number[] = [];
  readonly #load: Load;
  #turn = 0;

  constructor(readonly twixt: Twixt, servers: readonly string[], session?: () => Promise<void>) {
    this.#servers = [...servers];
    const one = session ?? (async () => {
      const server = this.#servers[this.#turn++ % this.#servers.length]!;
      assert.match(await ask(this.twixt.port(server)), /^127\./, server);
    });
    this.#load = new Load(4, async () => {
      const since = performance.now();
      await one();
      this.#took.push(performance.now() - since);
    }, 5);
  }

  /** From now on they ask these servers, too. */
  add(...servers: readonly string[]): void {
    this.#servers.push(...servers);
  }

  /** Ends them. Fails where one wasn't served, or the waits were too long; `worstMs` is the longest that may be. */
  async assertServed(what: string, worstMs: number = WORST_MS): Promise<void> {
    await this.#load.stop();
    const sorted = this.#took.sort((a, b) => a - b);
    const p99 = sorted[Math.floor(sorted.length * 0.99)]!;
    const worst = sorted.at(-1)!;
    console.log(
      `${what}: ${sorted.length} served, 99 % in ${p99.toFixed()} ms, all in ${worst.toFixed()} ms`,
    );
    const { failures } = this.#load;
    if (failures.length > 0) console.log(`${what}: not served, the log:\n${this.twixt.text()}`);
    assert.deepEqual(failures, []);
    assert(sorted.length > 20, `${sorted.length} clients`);
    assert(worst < worstMs, `${what}: somebody waited ${worst} ms`);
    if (worstMs === WORST_MS) assert(p99 < P99_MS, `${what}: 1 % waited ${p99} ms`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#load.stop();
  }
}
