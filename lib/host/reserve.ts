/**
 * Descriptors held open for nothing, so that there are some when the runtime needs them: making a worker
 * with none left ends the process.
 */
export class DescriptorReserve {
  #held: Deno.FsFile[] = [];
  #back: ReturnType<typeof setTimeout> | undefined;

  /** Takes `count` descriptors, or as many as there are. */
  constructor(readonly count: number) {
    this.hold();
  }

  /** Takes what is missing, as far as there are descriptors. */
  hold(): void {
    try {
      while (this.#held.length < this.count) this.#held.push(Deno.openSync(Deno.execPath()));
    } catch {
      // none left now; the next call tries again
    }
  }

  /** Lets them go for what needs them now, and takes them again after `ms`. */
  lend(ms: number): void {
    this.#release();
    this.#back = setTimeout(() => this.hold(), ms);
  }

  #release(): void {
    clearTimeout(this.#back);
    for (const file of this.#held.splice(0)) file.close();
  }

  /** Lets them go for good. */
  [Symbol.dispose](): void {
    this.#release();
  }
}
