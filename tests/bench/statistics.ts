/** What repeated measurements say: a middle and how far they lie apart. Pure. */

/** The middle of some figures, and the least and the greatest of them. */
export type Spread = {
  readonly median: number;
  readonly low: number;
  readonly high: number;
};

/** The middle one; of an even number the mean of the two in the middle. @throws RangeError for none. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("no values, so no median");
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** The median and both ends. @throws RangeError for none. */
export function spread(values: readonly number[]): Spread {
  return {
    median: median(values),
    low: Math.min(...values),
    high: Math.max(...values),
  };
}

/**
 * How many times the baseline, round by round: what one round measured is divided by what the same round measured for
 * the baseline, because a machine that others use as well is slow in some rounds and fast in others. Rounds that only
 * one of them has are left out. @throws RangeError when no round has both.
 */
export function ratio(
  values: readonly number[],
  baseline: readonly number[],
): Spread {
  const rounds = Math.min(values.length, baseline.length);
  return spread(
    Array.from(
      { length: rounds },
      (_, round) => values[round]! / baseline[round]!,
    ),
  );
}

/** A figure with as many digits as it deserves: three, and never an exponent. */
export function digits(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const before = Math.floor(Math.log10(Math.abs(value))) + 1;
  return value.toFixed(Math.min(4, Math.max(0, 3 - before)));
}

/** `1.02 (0.98..1.05)`. */
export function printRatio({ median, low, high }: Spread): string {
  return `${median.toFixed(2)} (${low.toFixed(2)}..${high.toFixed(2)})`;
}

/** `12.3 (11.9..12.8)`. */
export function printSpread({ median, low, high }: Spread): string {
  return `${digits(median)} (${digits(low)}..${digits(high)})`;
}
