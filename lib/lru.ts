/** A map that forgets the entry that was used longest ago when it has more than `most`. */
export class Lru<K, V> {
  readonly #entries = new Map<K, V>();

  /** Empty; keeps up to `most` entries, at least 1. */
  constructor(readonly most: number) {}

  /** Entries that it has now. */
  get size(): number {
    return this.#entries.size;
  }

  /** The value of a key, which counts as used; undefined where there is none. */
  get(key: K): V | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, value);
    return value;
  }

  /** Adds or replaces an entry. */
  set(key: K, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size <= this.most) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }
}
