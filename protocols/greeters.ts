import type { Session } from "./session.ts";

/**
 * Who has waited for so long, in milliseconds, may be sent away for somebody new. Short: refusing who is new in its place
 * would refuse good clients whenever many bad ones come together, and a good one's hello comes with it.
 */
const PATIENCE_MS = 20;

/**
 * Clients of a server, in this worker, who haven't said yet what is waited for, the oldest first. Where there are too many,
 * the oldest is sent away: it has had its time, and who comes may be somebody better.
 */
export class Greeters {
  readonly #since = new Map<Session, number>();

  /** Nobody yet; `clock` gives milliseconds. */
  constructor(readonly clock: () => number) {}

  /** How many there are. */
  get size(): number {
    return this.#since.size;
  }

  /** How many have been here for so long, in milliseconds. */
  longerThan(ms: number): number {
    const before = this.clock() - ms;
    let count = 0;
    for (const since of this.#since.values()) {
      if (since > before) break;
      count++;
    }
    return count;
  }

  /** Takes one in, if need be in place of the oldest one. False: there is no room. */
  enter(session: Session, most: number): boolean {
    if (this.#since.size >= most && !this.sendAway()) return false;
    this.#since.set(session, this.clock());
    return true;
  }

  /** It isn't one any more. False: it was sent away. */
  leave(session: Session): boolean {
    return this.#since.delete(session);
  }

  /** Closes the oldest one. False: it hasn't had its time yet, or there is none. */
  sendAway(): boolean {
    const [oldest] = this.#since;
    if (oldest === undefined || this.clock() - oldest[1] < PATIENCE_MS) return false;
    this.#since.delete(oldest[0]);
    oldest[0].close();
    return true;
  }
}
