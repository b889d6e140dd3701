import type { Member } from "../lib/model.ts";

/** When a backend counts as failed because it doesn't answer. */
export type SilenceLimits = {
  /** Requests in a row without an answer, over all clients; 0: it never fails. */
  readonly maxUnanswered: number;
  /** And at least so long after the first of them, in milliseconds. */
  readonly answerMs: number;
};

/** A backend, as far as it is told from others here: slots are used again. */
export type Asked = Pick<Member, "slot" | "address" | "port">;

type Record = {
  readonly backend: Asked;
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
  readonly #bySlot = new Map<number, Record>();
  #answers = false;
  #failingUntil = -Infinity;

  /** Nobody has been asked yet. */
  constructor(public limits: SilenceLimits) {}

  /** A request goes to a backend. True: that it doesn't answer has gone on for too long just now. */
  asked(backend: Asked, now: number): boolean {
    const { maxUnanswered, answerMs } = this.limits;
    const one = this.#of(backend) ?? this.#begin(backend, now);
    if (one.unanswered++ === 0) one.since = now;
    const fails = this.#answers && maxUnanswered > 0 && one.unanswered > maxUnanswered &&
      now - one.since >= answerMs && one.failedUntil <= now;
    if (fails) this.#fail(one, now);
    return fails;
  }

  /** A backend has answered. */
  answered(backend: Asked): void {
    this.#answers = true;
    const one = this.#of(backend);
    if (one === undefined) return;
    one.unanswered = 0;
    one.failedUntil = -Infinity;
  }

  /** A request couldn't be sent to a backend. */
  unreachable(backend: Asked, now: number): void {
    this.#fail(this.#of(backend) ?? this.#begin(backend, now), now);
  }

  /** Does a backend count as failed? */
  failed(backend: Asked, now: number): boolean {
    return this.some(now) && (this.#of(backend)?.failedUntil ?? -Infinity) > now;
  }

  /** May any backend count as failed? */
  some(now: number): boolean {
    return this.#failingUntil > now;
  }

  #of(backend: Asked): Record | undefined {
    const one = this.#bySlot.get(backend.slot);
    if (one === undefined || one.backend === backend) return one;
    const { address, port } = one.backend;
    return address === backend.address && port === backend.port ? one : undefined;
  }

  #begin(backend: Asked, now: number): Record {
    const one = { backend, unanswered: 0, since: now, failedUntil: -Infinity };
    this.#bySlot.set(backend.slot, one);
    return one;
  }

  #fail(one: Record, now: number): void {
    one.failedUntil = now + HOLD * this.limits.answerMs;
    one.unanswered = 0;
    this.#failingUntil = Math.max(this.#failingUntil, one.failedUntil);
  }
}
