/** Results in a row that make a backend live (`passes`) or not (`fails`). At least 1, the default. */
export type Thresholds = { readonly passes: number; readonly fails: number };

/** `contrary` counts the results in a row that disagree with `live`. */
export type HealthState = { readonly live: boolean; readonly contrary: number };

/** The state after one more result. One that agrees clears the count: only an unbroken run flips. */
export function observe(state: HealthState, passed: boolean, limits: Thresholds): HealthState {
  if (passed === state.live) return { live: state.live, contrary: 0 };
  const contrary = state.contrary + 1;
  const enough = contrary >= (passed ? limits.passes : limits.fails);
  return enough ? { live: passed, contrary: 0 } : { live: state.live, contrary };
}
