/** Where time comes from, so that tests can make it pass. */
export type Clock = {
  /** Milliseconds that never go back; only differences mean anything. */
  now(): number;
  /** Resolves after `ms` milliseconds, or at once when `signal` aborts; it never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
};

/** The longest that the runtime's timers can be set to; beyond it they fire at once. */
export const MAX_TIMER_MS: number = 2 ** 31 - 1;

/** The process's own clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  sleep: async (ms, signal) => {
    let left = ms;
    for (; left > MAX_TIMER_MS && !signal?.aborted; left -= MAX_TIMER_MS) {
      await sleepOnce(MAX_TIMER_MS, signal);
    }
    await sleepOnce(left, signal);
  },
};

function sleepOnce(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done, { once: true });
  });
}
