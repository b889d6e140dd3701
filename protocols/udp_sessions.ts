/** What the table needs of a session; it keeps its own marks in it. */
export type Listed<S> = {
  /** Who it belongs to: an address and a port. */
  readonly key: string;
  /** The session that was silent for a longer time, and the one for a shorter. */
  older: S | undefined;
  newer: S | undefined;
};

/**
 * The sessions of one server of datagrams: found by their client, and in the order of their silence, so that the one
 * that has been silent for longest is at hand. All steps take the same time, however many there are. Pure.
 */
export class UdpSessions<S extends Listed<S>> {
  readonly #byKey = new Map<string, S>();
  #oldest: S | undefined;
  #newest: S | undefined;
  #size = 0;

  /** Sessions that are open, those that nobody is led to any more included. */
  get size(): number {
    return this.#size;
  }

  /** The session that has been silent for longest. */
  get oldest(): S | undefined {
    return this.#oldest;
  }

  /** The session that a client's next datagram belongs to. */
  get(key: string): S | undefined {
    return this.#byKey.get(key);
  }

  /** Takes a new session in, as the one that spoke last; its client's next datagrams belong to it. */
  add(session: S): void {
    this.#byKey.set(session.key, session);
    this.#append(session);
    this.#size++;
  }

  /** Its client's next datagram begins another session; this one stays for its answers. */
  detach(session: S): void {
    if (this.#byKey.get(session.key) === session) this.#byKey.delete(session.key);
  }

  /** It has spoken. */
  touch(session: S): void {
    if (session === this.#newest) return;
    this.#unlink(session);
    this.#append(session);
  }

  /** Takes a session out, which is in. */
  remove(session: S): void {
    this.detach(session);
    this.#unlink(session);
    this.#size--;
  }

  /** All of them, the one that was silent for longest first. */
  *[Symbol.iterator](): Generator<S> {
    for (let session = this.#oldest; session !== undefined;) {
      const { newer } = session; // it may take itself out
      yield session;
      session = newer;
    }
  }

  #append(session: S): void {
    session.older = this.#newest;
    session.newer = undefined;
    if (this.#newest === undefined) this.#oldest = session;
    else this.#newest.newer = session;
    this.#newest = session;
  }

  #unlink(session: S): void {
    const { older, newer } = session;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
  }
}
