import type { Advice, CheckKind, CheckResult } from "./kinds.ts";
import { type Backend, backendKey, type CheckSpec, type Member } from "./model.ts";
import type { BackendStatus } from "./status.ts";
import { MAX_TIMER_MS, systemClock } from "./clock.ts";
import { messageOf } from "./errors.ts";
import { observe } from "./health_state.ts";
import type { HealthState } from "./health_state.ts";
import type { BackendOverlay } from "./overlay.ts";
import { onAbort } from "./own.ts";
import { poll } from "./poll.ts";
import type { PoolOptions } from "./pool_options.ts";
import { DOWN, DRAINING } from "./stats/layout.ts";
import { Meter } from "./stats/meter.ts";
import { TimeLimit } from "./time_limit.ts";

/** One backend of a running pool: its slot, its health, its checks. The pool stops it. */
export class PoolMember {
  /** False once discovery no longer names it; it stays until its last session ends. */
  discovered = true;
  /** An operator wants no new sessions on it. */
  draining = false;
  /** Its counters. */
  readonly meter: Meter;
  /** The weight that an operator wants. */
  #weight: number | undefined;
  #health: HealthState;
  #checking: AbortController | undefined;
  #drainEnd: AbortController | undefined;
  /** What the backend wants for itself. */
  #advice: Advice = {};
  #lastResult = "";
  #lastFailure = "";
  /** The last check couldn't be made, for {@link #lastFailure}. */
  #unchecked = false;
  /** The kind of check whose advice it has. */
  #advisor = "";

  /**
   * Isn't checked before {@link startChecks}.
   *
   * @param backend As its discovery says.
   * @param address Where to dial; undefined until its name is resolved.
   * @param initiallyLive Counts as live before its first results.
   * @param onAdvice Called when the backend has asked for another weight.
   */
  constructor(
    public backend: Backend,
    public address: string | undefined,
    readonly slot: number,
    readonly poolName: string,
    readonly options: PoolOptions,
    initiallyLive: boolean,
    readonly onAdvice: () => void,
  ) {
    this.meter = new Meter(options.counters, slot, options.clock.now());
    this.#health = { live: initiallyLive, contrary: 0 };
    options.counters.setFlag(slot, DOWN, !initiallyLive);
  }

  /** What workers get to know of it; undefined while it has no address. */
  member(): Member | undefined {
    const { address, slot } = this;
    return address === undefined ? undefined : { ...this.#weighed(), slot, address };
  }

  /** Its checks have taken it down. */
  get down(): boolean {
    return !this.#health.live;
  }

  /** It may get sessions, for all that checks and discovery say. */
  get serves(): boolean {
    return this.discovered && this.#health.live && this.address !== undefined;
  }

  /** Its state and counters now. */
  status(): BackendStatus {
    return {
      backend: this.#weighed(),
      discoveredWeight: this.backend.weight,
      live: this.#health.live && this.address !== undefined,
      discovered: this.discovered,
      draining: this.draining || this.#advice.drain === true,
      lastCheck: this.#unchecked ? `couldn't be checked: ${this.#lastFailure}` : this.#lastResult,
      traffic: this.meter.read(),
    };
  }

  /** Checks it from now on, as `spec` says. Without one it counts as live. */
  startChecks(spec: CheckSpec | undefined): void {
    this.stopChecks();
    this.#forgetAdvice(spec?.kind ?? "");
    if (spec === undefined) return this.#become({ live: true, contrary: 0 });
    if (this.address === undefined) return; // the pool starts them when the name has an address
    const { checks, clock, random, checkPlaces } = this.options;
    const kind = checks.get(spec.kind);
    const controller = this.#checking = new AbortController();
    void poll<CheckResult>({
      intervalMs: spec.intervalMs,
      timeoutMs: MAX_TIMER_MS, // a check's own limit starts when it has a place
      clock,
      random,
      signal: controller.signal,
      ask: (signal) =>
        checkPlaces.run(() => this.#check(kind, spec, signal), {
          ...{ signal, owner: this.poolName },
          startsProgram: kind.commands !== undefined,
        }),
      onAnswer: (result) => this.#observe(result, spec),
      onFailure: (error) => this.#observe({ passed: false, text: messageOf(error) }, spec),
    });
  }

  /** Does what an operator wants: another weight, no new sessions, at the end of a drain no sessions at all. */
  adjust(overlay: BackendOverlay | undefined): void {
    this.#weight = overlay?.weight;
    this.#drain(overlay);
  }

  #weighed(): Backend {
    const { weightPercent = 100 } = this.#advice;
    const own = weightPercent === 100
      ? this.backend.weight
      : Math.ceil(this.backend.weight * weightPercent / 100); // 1 per cent of 1 is no drain
    return { ...this.backend, weight: this.#weight ?? own };
  }

  #drain(overlay: BackendOverlay | undefined): void {
    const { clock, onLeave, wallTime } = this.options;
    this.#drainEnd?.abort();
    this.#drainEnd = undefined;
    this.draining = overlay?.draining === true;
    this.#showDrain();
    if (!this.draining || overlay?.drainUntilMs === undefined) return;
    const end = this.#drainEnd = new AbortController();
    void clock.sleep(Math.max(0, overlay.drainUntilMs - wallTime()), end.signal)
      .then(() => end.signal.aborted || onLeave([this.slot], true));
  }

  #showDrain(): void {
    const draining = this.draining || this.#advice.drain === true;
    this.options.counters.setFlag(this.slot, DRAINING, draining);
  }

  /** Ends its checks and its drain's end. */
  stop(): void {
    this.stopChecks();
    this.#drainEnd?.abort();
  }

  /** Takes it for down before the first result of its checks, because another process has found it so. */
  believeDown(): void {
    if (this.#lastResult !== "") return;
    this.#lastResult = "the process before this one has found it so";
    this.#become({ live: false, contrary: 0 });
  }

  /** Ends its checks; its health stays as it is. */
  stopChecks(): void {
    this.#checking?.abort();
    this.#checking = undefined;
  }

  /** One check within its time limit. It never throws: what goes wrong is the backend's failure. */
  async #check(kind: CheckKind, spec: CheckSpec, outer: AbortSignal): Promise<CheckResult> {
    const { backend } = this;
    const target = {
      host: backend.host,
      address: spec.address ?? this.address!,
      port: spec.port ?? backend.port,
      elsewhere: spec.address !== undefined,
    };
    using limit = new TimeLimit(spec.timeoutMs, outer);
    const settled = new AbortController();
    const checking = kind.check(target, spec.options, {
      signal: limit.signal,
      run: this.options.run,
    }).catch((error) => ({ passed: false, text: messageOf(error) }));
    const result = await Promise.race([checking, overtime(limit.signal, settled.signal)]);
    settled.abort();
    if (result.passed || limit.lateByMs < BUSY_MS) return result;
    return { passed: false, text: "this process was too busy to see an answer", ours: true };
  }

  #observe(result: CheckResult, spec: CheckSpec): void {
    this.#unchecked = result.ours === true;
    if (result.ours) return this.#checkFailed(result.text);
    if (result.unclear) return this.#unclear(result.text);
    this.#lastFailure = "";
    this.#lastResult = result.text;
    this.#become(observe(this.#health, result.passed, spec));
    if (result.advice !== undefined) this.#advise(result.advice);
  }

  /** An answer that says neither: the backend stays what it is. */
  #unclear(text: string): void {
    this.#lastResult = text;
    if (text === this.#lastFailure) return;
    this.#lastFailure = text;
    this.options.log.warning("a check has no result", {
      pool: this.poolName,
      backend: backendKey(this.backend),
      why: text,
    });
  }

  /** What another kind of check was told is not what this one would be. */
  #forgetAdvice(kind: string): void {
    if (kind === this.#advisor) return;
    this.#advisor = kind;
    this.#advice = {};
    this.#showDrain();
  }

  #advise(advice: Advice): void {
    const before = JSON.stringify(this.#advice);
    this.#advice = { ...this.#advice, ...advice };
    if (JSON.stringify(this.#advice) === before) return;
    this.options.log.info("a backend has asked for something", {
      pool: this.poolName,
      backend: backendKey(this.backend),
      ...this.#advice,
    });
    this.#showDrain();
    this.onAdvice();
  }

  /** A check that couldn't be made: the backend stays what it is. */
  #checkFailed(why: string): void {
    if (why === this.#lastFailure) return;
    this.#lastFailure = why;
    this.options.log.error("a check couldn't be made", {
      pool: this.poolName,
      backend: backendKey(this.backend),
      why,
    });
  }

  #become(health: HealthState): void {
    const flips = health.live !== this.#health.live;
    this.#health = health;
    if (!flips) return;
    this.options.counters.setFlag(this.slot, DOWN, !health.live);
    const { log, onHealth } = this.options;
    const about = { pool: this.poolName, backend: backendKey(this.backend), why: this.#lastResult };
    if (health.live) log.info("backend is live", about);
    else log.warning("backend is down", about);
    onHealth?.();
  }
}

/** What a check counts as that hasn't settled although its limit is long over. */
async function overtime(limit: AbortSignal, settled: AbortSignal): Promise<CheckResult> {
  const over = Promise.withResolvers<void>();
  using _over = onAbort(limit, over.resolve);
  await over.promise;
  await systemClock.sleep(OVERTIME_MS, settled);
  return { passed: false, text: "no answer in time" };
}

/** A limit that is noticed so late says nothing about the backend. */
const BUSY_MS = 500;
/** A kind that doesn't settle so long after its limit mustn't keep its place. */
const OVERTIME_MS = 1_000;
