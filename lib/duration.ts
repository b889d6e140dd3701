/** Durations as configurations and the API write them: Go's text form on one side, milliseconds on the other. */

const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  "\u00b5s": 1e-3, // micro sign
  "\u03bcs": 1e-3, // Greek mu
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};
const PART = /(\d+\.?\d*|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/y;
/** Go counts nanoseconds in 63 bits. */
const MAX_MS = 2 ** 63 / 1e6;

/**
 * Milliseconds of `"1h30m"`, `"1.5s"`, `"-250ms"` or a bare `"0"`, to the nanosecond. Undefined for anything else, also for
 * a number without unit and for what is longer than Go can hold (292 years).
 */
export function parseDuration(text: string): number | undefined {
  const sign = text.startsWith("-") ? -1 : 1;
  let at = /^[+-]/.test(text) ? 1 : 0;
  if (text.slice(at) === "0") return 0;
  let ms = 0;
  for (let first = true; first || at < text.length; first = false) {
    PART.lastIndex = at;
    const part = PART.exec(text);
    if (part === null) return undefined;
    ms += Number(part[1]) * UNITS[part[2]!]!;
    at = PART.lastIndex;
  }
  ms = Math.round(ms * 1e6) / 1e6;
  return ms > MAX_MS ? undefined : sign * ms || 0;
}

/** The way Go prints a duration: `1m30.5s`, `0s`, `1h2m3.4s`, `250ms`, `1.5µs`. */
export function printDuration(ms: number): string {
  const sign = ms < 0 ? "-" : "";
  const nanos = BigInt(Math.round(Math.abs(ms) * 1e6));
  if (nanos === 0n) return "0s";
  if (nanos < 1_000n) return `${sign}${nanos}ns`;
  if (nanos < 1_000_000n) return `${sign}${decimal(nanos, 3)}\u00b5s`;
  if (nanos < 1_000_000_000n) return `${sign}${decimal(nanos, 6)}ms`;
  const minutes = nanos / 60_000_000_000n;
  const seconds = `${decimal(nanos % 60_000_000_000n, 9)}s`;
  if (minutes === 0n) return sign + seconds;
  const hours = minutes / 60n;
  return `${sign}${hours === 0n ? "" : `${hours}h`}${minutes % 60n}m${seconds}`;
}

/** `value / 10^digits` without trailing zeros. */
function decimal(value: bigint, digits: number): string {
  const text = value.toString().padStart(digits + 1, "0");
  const fraction = text.slice(-digits).replace(/0+$/, "");
  return text.slice(0, -digits) + (fraction === "" ? "" : `.${fraction}`);
}
