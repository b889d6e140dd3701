/** Hostile variants of recorded bytes. Everything is drawn from the `random` that comes in. */

/** Longest variant: somewhat more than a reader may take. */
const MAX_BYTES = 20_000;
/** Bytes that lengths and types are likely to break at. */
const TELLING = [0, 1, 2, 3, 4, 5, 16, 22, 43, 0x2e, 0x40, 0x7f, 0x80, 0xff];

/** Makes variants in one buffer. A variant is valid until the next. */
export class Mutator {
  readonly #buffer = new Uint8Array(MAX_BYTES);
  #length = 0;
  #random: () => number = Math.random; // replaced by each variant

  /** Draws from `corpus`, which it doesn't change. */
  constructor(readonly corpus: readonly Uint8Array[]) {}

  /** One of the corpus with one to four changes; in half of the cases with outer lengths that fit again. */
  variant(random: () => number): Uint8Array {
    this.#random = random;
    this.#length = 0;
    this.#insert(0, this.#any());
    for (let left = 1 + this.#below(4); left > 0; left--) this.#change();
    if (this.#below(2) === 0) this.#mendLengths();
    if (this.#below(8) === 0) this.#cutIntoRecords();
    return this.#buffer.subarray(0, this.#length);
  }

  #change(): void {
    const at = this.#below(this.#length);
    const size = 1 + this.#below(this.#below(4) === 0 ? 400 : 8);
    switch (this.#below(9)) {
      case 0:
        this.#buffer[at]! ^= 1 << this.#below(8);
        break;
      case 1:
        this.#buffer[at] = TELLING[this.#below(TELLING.length)]!;
        break;
      case 2:
        this.#buffer[at]! += this.#below(9) - 4; // a length, now and then
        break;
      case 3:
        this.#insert(at, Uint8Array.from({ length: size }, () => this.#below(256)));
        break;
      case 4:
        this.#delete(at, size);
        break;
      case 5: {
        const other = this.#any();
        const from = this.#below(other.length);
        this.#insert(at, other.subarray(from, from + size));
        break;
      }
      case 6: // the same again
        this.#insert(at, this.#buffer.slice(at, Math.min(at + size, this.#length)));
        break;
      case 7:
        if (this.#below(4) === 0) this.#length = at + 1;
        break;
      default: // grows towards the limit
        if (this.#below(16) === 0) this.#insert(at, new Uint8Array(this.#below(MAX_BYTES)));
    }
  }

  #any(): Uint8Array {
    return this.corpus[this.#below(this.corpus.length)]!;
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #insert(at: number, bytes: Uint8Array): void {
    const part = bytes.subarray(0, MAX_BYTES - this.#length);
    this.#buffer.copyWithin(at + part.length, at, this.#length);
    this.#buffer.set(part, at);
    this.#length += part.length;
  }

  #delete(at: number, size: number): void {
    this.#buffer.copyWithin(at, Math.min(at + size, this.#length), this.#length);
    this.#length = Math.max(at, this.#length - size, 1);
  }

  /** One record, one message, both as long as what is there: the changes are met further inside. */
  #mendLengths(): void {
    if (this.#length < 9) return;
    this.#buffer.set([22, 3, 1, (this.#length - 5) >> 8, (this.#length - 5) & 0xff, 1, 0]);
    this.#buffer.set([(this.#length - 9) >> 8, (this.#length - 9) & 0xff], 7);
  }

  /** All behind the first record's header in small records. */
  #cutIntoRecords(): void {
    const message = this.#buffer.slice(5, this.#length);
    const most = 1 + this.#below(300);
    this.#length = 0;
    for (let at = 0; at < message.length && this.#length < MAX_BYTES - 400;) {
      const part = message.subarray(at, at + 1 + this.#below(most));
      const header = [22, 3, 1 + this.#below(4), part.length >> 8, part.length & 0xff];
      this.#insert(this.#length, Uint8Array.from(header));
      this.#insert(this.#length, part);
      at += part.length;
    }
  }
}
