/** Sizes of a direction's buffer: it starts with the first and moves up on full reads. */
export const SIZES: readonly number[] = [
  1 << 10,
  1 << 12,
  1 << 14,
  1 << 16,
  1 << 18,
  1 << 20,
  1 << 22,
  1 << 24,
];

/** Sizes from here on count against the budget. */
const COUNTED_BYTES = 1 << 16;
/** Free buffers kept of each size, in bytes together. */
const KEPT_BYTES = 4 << 20;

/**
 * The relay's buffers. Small ones are free for all; large ones come from a budget, so that ten thousand
 * busy sessions get slower instead of taking all memory.
 */
export class Buffers {
  readonly #free: Uint8Array<ArrayBuffer>[][] = SIZES.map(() => []);
  #used = 0;

  /**
   * Holds nothing before buffers are given back.
   *
   * @param budget Bytes that large buffers may take together.
   * @param onDenied Called each time a buffer could not grow because of it.
   */
  constructor(readonly budget: number, readonly onDenied: () => void) {}

  /** Bytes in large buffers that are lent out. */
  get used(): number {
    return this.#used;
  }

  /** A buffer of the smallest size. Give it back with {@link give}. */
  take(): Uint8Array<ArrayBuffer> {
    return this.#free[0]!.pop() ?? new Uint8Array(SIZES[0]!);
  }

  /** Takes a buffer back. Its bytes may be overwritten at once. */
  give(buffer: Uint8Array<ArrayBuffer>): void {
    const size = buffer.length;
    if (size >= COUNTED_BYTES) this.#used -= size;
    const free = this.#free[SIZES.indexOf(size)]!;
    if (free.length * size < KEPT_BYTES) free.push(buffer);
  }

  /** The next larger buffer in exchange for a full one, or the same where `max` or the budget end. */
  grow(buffer: Uint8Array<ArrayBuffer>, max: number): Uint8Array<ArrayBuffer> {
    const size = buffer.length * 4;
    if (size > max) return buffer;
    if (size >= COUNTED_BYTES) {
      // beyond half the budget there is room for modest growth only
      const room = size > COUNTED_BYTES ? this.budget / 2 : this.budget;
      if (this.#used + size > room) {
        this.onDenied();
        return buffer;
      }
    }
    this.give(buffer);
    return this.#lend(size);
  }

  /** A smaller buffer in exchange for one that a read has hardly filled. */
  shrink(buffer: Uint8Array<ArrayBuffer>, filled: number): Uint8Array<ArrayBuffer> {
    if (buffer.length <= SIZES[1]! || filled * 16 > buffer.length) return buffer;
    this.give(buffer);
    return this.#lend(SIZES[1]!);
  }

  #lend(size: number): Uint8Array<ArrayBuffer> {
    if (size >= COUNTED_BYTES) this.#used += size;
    return this.#free[SIZES.indexOf(size)]!.pop() ?? new Uint8Array(size);
  }
}
