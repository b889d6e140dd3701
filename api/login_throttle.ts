/** How many failed logins are let through. */
export type ThrottleLimits = {
  /** Failures within the window that close the door. */
  readonly failures: number;
  /** From the first failure on. */
  readonly windowMs: number;
  /** Callers remembered; the one that was seen longest ago is forgotten first. */
  readonly callers: number;
};

/** 10 failures in a minute, 1,024 callers. */
export const throttleLimits: ThrottleLimits = { failures: 10, windowMs: 60_000, callers: 1024 };

type Failures = { readonly count: number; readonly sinceMs: number };

/** Counts failed logins for each caller. Times are of one clock, whichever. */
export class LoginThrottle {
  readonly #failures = new Map<string, Failures>();

  /** One that nobody has failed at yet. */
  constructor(readonly limits: ThrottleLimits = throttleLimits) {}

  /** How long this caller has to wait before it may try again; 0 when it may. */
  waitMs(caller: string, nowMs: number): number {
    const { count, sinceMs } = this.#of(caller, nowMs);
    return count < this.limits.failures ? 0 : sinceMs + this.limits.windowMs - nowMs;
  }

  /** Counts a failure. True for the one that closes the door. */
  failed(caller: string, nowMs: number): boolean {
    const { count, sinceMs } = this.#of(caller, nowMs);
    this.#failures.delete(caller); // so that it goes to the end, as the one seen last
    this.#failures.set(caller, { count: count + 1, sinceMs });
    if (this.#failures.size > this.limits.callers) {
      const [oldest] = this.#failures.keys();
      if (oldest !== undefined) this.#failures.delete(oldest);
    }
    return count + 1 === this.limits.failures;
  }

  /** Forgets the failures of a caller that has logged in. */
  passed(caller: string): void {
    this.#failures.delete(caller);
  }

  #of(caller: string, nowMs: number): Failures {
    const known = this.#failures.get(caller);
    const recent = known !== undefined && nowMs - known.sinceMs < this.limits.windowMs;
    return recent ? known : { count: 0, sinceMs: nowMs };
  }
}
