/** Bytes that come in pieces of any size, in one buffer that doubles: a million small pieces cost no more than one. */
export class GrowingBytes {
  /** How many there are. */
  length = 0;
  #buffer = new Uint8Array(1024);

  /** Copies a piece to the end. */
  add(piece: Uint8Array): void {
    const length = this.length + piece.length;
    if (length > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(length, this.#buffer.length * 2));
      larger.set(this.bytes());
      this.#buffer = larger;
    }
    this.#buffer.set(piece, this.length);
    this.length = length;
  }

  /** All of them; valid until the next {@link add}. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.#buffer.subarray(0, this.length);
  }
}
