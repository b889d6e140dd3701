/** Buffers that are kept for the next one who needs one, rather than left to the collector. */
const KEPT = 256;

/** The buffers of one server's sessions: where sessions come and go by the thousand, new ones would pile up. */
export class SpareBuffers {
  #spare: Uint8Array<ArrayBuffer>[] = [];

  /** A buffer of so many bytes, with anything in it. */
  take(bytes: number): Uint8Array<ArrayBuffer> {
    if (this.#spare[0]?.length !== bytes) this.#spare = []; // another size is configured now
    return this.#spare.pop() ?? new Uint8Array(bytes);
  }

  /** Takes a buffer back. */
  give(buffer: Uint8Array<ArrayBuffer>): void {
    const [first = buffer] = this.#spare;
    if (this.#spare.length < KEPT && first.length === buffer.length) this.#spare.push(buffer);
  }
}
