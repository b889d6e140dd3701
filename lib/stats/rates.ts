/** Bytes so far at a time. */
export type Sample = { readonly atMs: number; readonly bytes: number };

/** Bytes a second between two samples, whole; 0 where no time has passed. */
export function rate(before: Sample, after: Sample): number {
  const elapsedMs = after.atMs - before.atMs;
  if (elapsedMs <= 0) return 0;
  return Math.max(0, Math.round((after.bytes - before.bytes) * 1000 / elapsedMs));
}
