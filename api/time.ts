/**
 * A point in time as Go prints it in JSON: RFC 3339, a fraction without trailing zeros, `Z` or the zone.
 *
 * @param ms Since 1970.
 * @param eastMinutes The zone, minutes east of Greenwich.
 */
export function printTime(ms: number, eastMinutes: number): string {
  const local = new Date(Math.round(ms) + eastMinutes * 60_000).toISOString();
  const text = local.replace(/\.?0*Z$/, "");
  if (eastMinutes === 0) return `${text}Z`;
  const minutes = Math.abs(eastMinutes);
  const two = (n: number) => String(n).padStart(2, "0");
  return `${text}${eastMinutes < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}:${
    two(minutes % 60)
  }`;
}

/** The same in the zone that this process lives in. */
export function printLocalTime(ms: number): string {
  return printTime(ms, -new Date(ms).getTimezoneOffset());
}
