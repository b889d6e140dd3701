import {
  ACTIVE,
  ACTIVE_NOW,
  ACTIVE_THEN,
  CAPACITY,
  CELLS,
  FLAGS,
  GAUGES,
  HEADER_CELLS,
  HEARTBEAT,
  PROCESS_SLOT,
  RATE,
  regions,
  SEEN,
  SHARED_CELLS,
  SLOTS,
  TURN,
} from "./layout.ts";

/** Memory for the counters of `workers` workers and the control plane. */
export function counterBuffer(workers: number): SharedArrayBuffer {
  return new SharedArrayBuffer(regions(workers + 1).bytes);
}

/**
 * One isolate's view of the shared counters, and the only file that uses `Atomics`. `row` is the row
 * that this isolate alone writes: a worker its own index, the control plane the last.
 */
export class Counters {
  readonly #header: Int32Array;
  readonly #shared: Int32Array;
  readonly #rows: Float64Array;
  readonly #row: Float64Array;
  readonly #workers: number;

  /** Looks at a buffer of {@link counterBuffer}; `row` is the one row that it writes. */
  constructor(buffer: SharedArrayBuffer, workers: number, row: number) {
    const rows = workers + 1;
    const at = regions(rows);
    this.#workers = workers;
    this.#header = new Int32Array(buffer, at.header, rows * HEADER_CELLS);
    this.#shared = new Int32Array(buffer, at.shared, SLOTS * SHARED_CELLS);
    this.#rows = new Float64Array(buffer, at.rows, rows * SLOTS * CELLS);
    this.#row = this.#rows.subarray(row * SLOTS * CELLS, (row + 1) * SLOTS * CELLS);
  }

  /** This isolate's row, for the relay loop: cell `slot * CELLS + cell`. */
  get row(): Float64Array {
    return this.#row;
  }

  /** Counts a session on a slot, unless that would be more than `limit` (0: no limit). */
  take(slot: number, limit: number): boolean {
    const cell = slot * SHARED_CELLS + ACTIVE_NOW;
    const before = Atomics.add(this.#shared, cell, 1);
    if (limit > 0 && before >= limit) {
      Atomics.sub(this.#shared, cell, 1);
      return false;
    }
    this.#row[slot * CELLS + ACTIVE]! += 1;
    return true;
  }

  /** Gives back what {@link take} has taken. */
  release(slot: number): void {
    Atomics.sub(this.#shared, slot * SHARED_CELLS + ACTIVE_NOW, 1);
    this.#row[slot * CELLS + ACTIVE]! -= 1;
  }

  /** Adds to a cell of this isolate's row. */
  add(slot: number, cell: number, amount = 1): void {
    this.#row[slot * CELLS + cell]! += amount;
  }

  /** A cell over all rows. */
  sum(slot: number, cell: number): number {
    let sum = 0;
    for (let row = 0; row <= this.#workers; row++) {
      sum += this.#rows[(row * SLOTS + slot) * CELLS + cell]!;
    }
    return sum;
  }

  /**
   * Sessions of a slot now, over all workers. A plain load, as with flags and rates: an aligned 32-bit cell is never
   * torn, and an election over 1,000 backends reads it 1,000 times.
   */
  active(slot: number): number {
    return this.#shared[slot * SHARED_CELLS + ACTIVE_NOW]!;
  }

  /** Bytes a second of a slot as measured last. */
  rate(slot: number): number {
    return this.#shared[slot * SHARED_CELLS + RATE]!;
  }

  /** Sessions of a slot when its rate was measured. */
  activeThen(slot: number): number {
    return this.#shared[slot * SHARED_CELLS + ACTIVE_THEN]!;
  }

  /** Tells all workers a slot's rate, and remembers the sessions that it was measured with. */
  setRate(slot: number, bytesPerSecond: number): void {
    const cell = slot * SHARED_CELLS;
    Atomics.store(this.#shared, cell + RATE, Math.min(bytesPerSecond, 0x7fffffff));
    Atomics.store(this.#shared, cell + ACTIVE_THEN, this.active(slot));
  }

  /** The next turn of a slot's round robin: 0, 1, 2 … over all workers; wraps at 2^31. */
  turn(slot: number): number {
    return Atomics.add(this.#shared, slot * SHARED_CELLS + TURN, 1) & 0x7fffffff;
  }

  /** Why nobody may choose this backend; 0 is usable. */
  flags(slot: number): number {
    return this.#shared[slot * SHARED_CELLS + FLAGS]!;
  }

  /** Sets or clears one flag, at once for all workers. */
  setFlag(slot: number, flag: number, on: boolean): void {
    if (on) Atomics.or(this.#shared, slot * SHARED_CELLS + FLAGS, flag);
    else Atomics.and(this.#shared, slot * SHARED_CELLS + FLAGS, ~flag);
  }

  /** Sessions that the whole process may have; 0 is no limit. */
  get capacity(): number {
    return Atomics.load(this.#shared, PROCESS_SLOT * SHARED_CELLS + CAPACITY);
  }

  set capacity(sessions: number) {
    Atomics.store(this.#shared, PROCESS_SLOT * SHARED_CELLS + CAPACITY, sessions);
  }

  /** One more tick of a worker. */
  beat(worker: number): void {
    Atomics.add(this.#header, worker * HEADER_CELLS + HEARTBEAT, 1);
  }

  /** The ticks of a worker so far. */
  beats(worker: number): number {
    return Atomics.load(this.#header, worker * HEADER_CELLS + HEARTBEAT);
  }

  /** The worker has worked through everything up to this version. */
  setSeen(worker: number, version: number): void {
    Atomics.store(this.#header, worker * HEADER_CELLS + SEEN, version);
  }

  /** The last version that a worker has worked through. */
  seen(worker: number): number {
    return Atomics.load(this.#header, worker * HEADER_CELLS + SEEN);
  }

  /** Makes a slot as new. Nobody may be using it. */
  clear(slot: number): void {
    this.#shared.fill(0, slot * SHARED_CELLS, (slot + 1) * SHARED_CELLS);
    for (let row = 0; row <= this.#workers; row++) {
      const start = (row * SLOTS + slot) * CELLS;
      this.#rows.fill(0, start, start + CELLS);
    }
  }

  /**
   * Takes a dead worker's sessions off the shared cells and adds what else it has counted to this
   * isolate's row, so that totals never go back.
   */
  retire(worker: number): void {
    for (let slot = 0; slot < SLOTS; slot++) {
      const start = (worker * SLOTS + slot) * CELLS;
      const active = this.#rows[start + ACTIVE]!;
      if (active !== 0) Atomics.sub(this.#shared, slot * SHARED_CELLS + ACTIVE_NOW, active);
      for (let cell = 0; cell < CELLS; cell++) {
        const count = this.#rows[start + cell]!;
        if (count === 0) continue; // never written: leave the page alone
        if (!GAUGES.includes(cell)) this.#row[slot * CELLS + cell]! += count;
        this.#rows[start + cell] = 0;
      }
    }
  }
}
