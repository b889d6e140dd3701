import type { Member, ServerTable } from "../lib/model.ts";

/** A session as its worker keeps it. */
export type OpenSession = {
  /** Its index in {@link Sessions}. */
  place: number;
  readonly server: ServerTable;
  /** The backend that is leased. */
  readonly member: Member | undefined;
  /** Called once a tick. */
  sweep(now: number): void;
  /** Closes its sockets and gives back what is counted. Safe to call again. */
  close(): void;
};

/** The open sessions of a worker, swept once a tick. */
export class Sessions {
  readonly #open: OpenSession[] = [];
  #empty: (() => void)[] = [];
  #held = 0;

  /** Sessions that are open now. */
  get size(): number {
    return this.#open.length;
  }

  /** Takes a session in; it takes itself out with {@link remove}. */
  add(session: OpenSession): void {
    session.place = this.#open.push(session) - 1;
  }

  /** Takes a session out. */
  remove(session: OpenSession): void {
    const last = this.#open.pop()!;
    if (last !== session) {
      this.#open[session.place] = last;
      last.place = session.place;
    }
    this.#look();
  }

  /** Something outlives its session, and whoever waits for the end waits for it: until {@link letGo}. */
  hold(): void {
    this.#held++;
  }

  /** The end of a {@link hold}. */
  letGo(): void {
    this.#held--;
    this.#look();
  }

  #look(): void {
    if (this.#open.length > 0 || this.#held > 0) return;
    for (const resolve of this.#empty.splice(0)) resolve();
  }

  /** Ends what has been silent for too long, and does what may wait for a tick. */
  sweep(now: number): void {
    // from the end: a session that closes itself is replaced by the last, which was seen already
    for (let i = this.#open.length - 1; i >= 0; i--) this.#open[i]?.sweep(now);
  }

  /** Closes every session that `which` chooses. */
  close(which: (session: OpenSession) => boolean): void {
    for (const session of this.#open.filter(which)) session.close();
  }

  /** Resolves as soon as no session is open, and nothing is held. */
  whenEmpty(): Promise<void> {
    if (this.#open.length === 0 && this.#held === 0) return Promise.resolve();
    return new Promise((resolve) => this.#empty.push(resolve));
  }
}
