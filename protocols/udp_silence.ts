/** When a backend counts as failed because it doesn't answer. */
export type SilenceLimits = {
  /** Requests in a row without an answer, over all clients; 0: it never fails. */
  readonly maxUnanswered: number;
  /** And at least so long after the first of them, in milliseconds. */
  readonly answerMs: number;
};

type Asked = {
  unanswered: number;
  /** When the first of them was sent. */
  since: number;
  /** It counts as failed until then. */
  failedUntil: number;
};

/** A backend that has failed is left alone for so many times `answerMs`. */
const HOLD = 2;

/**
 * Which backends of a server of datagrams have failed. Nobody tells that nobody listens at a port: an ICMP refusal
 * never reaches us, so silence has to do. Where no backend has ever answered, the protocol may know no answers, and
 * nobody fails. Pure.
 */
export class Silence {
  readonly #bySlot = new Map<number, Asked>();
  #answers = false;
  #failing = false;

  /** Nobody has been asked yet. */
  constructor(public limits: SilenceLimits) {}

  /** A request goes to the backend in a slot. True: that it doesn't answer has gone on for too long just now. */
  asked(slot: number, now: number): boolean {
    const { maxUnanswered, answerMs } = this.limits;
    let one = this.#bySlot.get(slot);
    if (one === undefined) {
      this.#bySlot.set(slot, one = { unanswered: 0, since: now, failedUntil: -Infinity });
    }
    if (one.unanswered++ === 0) one.since = now;
    const fails = this.#answers && maxUnanswered > 0 && one.unanswered > maxUnanswered &&
      now - one.since >= answerMs && one.failedUntil <= now;
    if (fails) this.#fail(one, now);
    return fails;
  }

  /** The backend in a slot has answered. */
  answered(slot: number): void {
    this.#answers = true;
    const one = this.#bySlot.get(slot);
    if (one === undefined) return;
    one.unanswered = 0;
    one.failedUntil = -Infinity;
  }

  /** A request couldn't be sent to the backend in a slot. */
  unreachable(slot: number, now: number): void {
    this.asked(slot, now);
    this.#fail(this.#bySlot.get(slot)!, now);
  }

  /** Does the backend in a slot count as failed? */
  failed(slot: number, now: number): boolean {
    return this.#failing && (this.#bySlot.get(slot)?.failedUntil ?? -Infinity) > now;
  }

  /** All slots whose backends count as failed; empty as long as all is well. */
  all(now: number): number[] {
    if (!this.#failing) return [];
    const slots = [...this.#bySlot].filter(([, { failedUntil }]) => failedUntil > now);
    this.#failing = slots.length > 0;
    return slots.map(([slot]) => slot);
  }

  #fail(one: Asked, now: number): void {
    one.failedUntil = now + HOLD * this.limits.answerMs;
    one.unanswered = 0;
    this.#failing = true;
  }
}
