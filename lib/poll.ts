import type { Clock } from "./clock.ts";
import { onAbort } from "./own.ts";

/** What is asked again and again, and what happens with the answers. */
export type PollOptions<T> = {
  /** Wait after an answer; 0 ends the loop with the first one. */
  readonly intervalMs: number;
  /** Longest wait for one answer. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Gives [0, 1): the wait is shortened by up to a tenth, so that loops don't march in step. */
  readonly random: () => number;
  /** Ends the loop. */
  readonly signal: AbortSignal;
  /** Asks once; must settle soon after its signal has aborted. */
  ask(signal: AbortSignal): Promise<T>;
  /** Takes an answer. A number that it returns is the next wait, in place of `intervalMs`. */
  onAnswer(answer: T): number | void;
  /** Takes a failure: what `ask` threw, or that it timed out. The loop goes on. */
  onFailure(error: unknown): void;
};

/** First wait after a failure, doubled with each further one in a row. */
const RETRY_MS = 1_000;
/** Longest wait after a failure, unless the interval is longer still. */
const MAX_RETRY_MS = 30_000;

/**
 * The one loop behind discoveries, checks and name resolution: ask, wait, ask again, with a growing
 * pause while it fails. Never two questions at a time: one that doesn't settle in time counts as failed,
 * and the next is asked when it has settled after all. Resolves when the loop has ended.
 */
export async function poll<T>(options: PollOptions<T>): Promise<void> {
  const { clock, signal, random, intervalMs } = options;
  let failures = 0;
  while (!signal.aborted) {
    const { waitMs, settled } = await once(options);
    failures = waitMs === undefined ? failures + 1 : 0;
    if (waitMs === 0) return;
    const pauseMs = waitMs ?? retryMs(failures, intervalMs);
    await clock.sleep(pauseMs * (1 - random() / 10), signal);
    await settledOr(settled, signal);
  }
}

/** The pause after that many failures in a row; never longer than asking regularly, or than 30 s. */
function retryMs(failures: number, intervalMs: number): number {
  const most = intervalMs > 0 ? Math.min(intervalMs, MAX_RETRY_MS) : MAX_RETRY_MS;
  return Math.min(most, RETRY_MS * 2 ** Math.min(failures - 1, 10));
}

type Asked = { readonly waitMs: number | undefined; readonly settled: Promise<unknown> };

/** One question: the wait that its answer wants, or undefined after a failure. */
async function once<T>(options: PollOptions<T>): Promise<Asked> {
  const { timeoutMs, signal } = options;
  using limit = timeLimit(timeoutMs, signal);
  const asked = Promise.resolve().then(() => options.ask(limit.signal));
  const settled = asked.catch(() => {});
  try {
    const answer = await Promise.race([asked, limit.expired]);
    if (signal.aborted) return { waitMs: 0, settled };
    return { waitMs: options.onAnswer(answer) ?? options.intervalMs, settled };
  } catch (error) {
    if (!signal.aborted) options.onFailure(error);
    return { waitMs: signal.aborted ? 0 : undefined, settled };
  }
}

/** A signal that aborts after `ms` or with `outer`, and a promise that rejects at the same moment. */
function timeLimit(ms: number, outer: AbortSignal): {
  readonly signal: AbortSignal;
  readonly expired: Promise<never>;
  [Symbol.dispose](): void;
} {
  const controller = new AbortController();
  const { promise: expired, reject } = Promise.withResolvers<never>();
  expired.catch(() => {}); // nobody may be waiting for it any more
  const end = (why: string) => {
    controller.abort();
    reject(new Error(why));
  };
  const onOuter = () => end("stopped");
  const timer = setTimeout(() => end(`no answer within ${ms} ms`), ms);
  if (outer.aborted) onOuter();
  outer.addEventListener("abort", onOuter, { once: true });
  return {
    signal: controller.signal,
    expired,
    [Symbol.dispose]() {
      clearTimeout(timer);
      outer.removeEventListener("abort", onOuter);
    },
  };
}

/** Resolves when it has settled, or with the signal, on which nothing of this stays. */
async function settledOr(settled: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const over = Promise.withResolvers<void>();
  using _over = onAbort(signal, over.resolve);
  await Promise.race([settled, over.promise]);
}
