/** What Consul's documentation asks of those who wait for a change with `index`. Pure. */

/**
 * The index to wait with next, from the one before and the `X-Consul-Index` of the answer. 0 asks without waiting: the
 * index has gone back (the servers' state was lost or restored), or the answer had none. Any other is at least 1, as
 * a question with 0 would be answered at once, again and again.
 */
export function nextIndex(before: number, header: string | null): number {
  if (header === null || !/^\d{1,20}$/.test(header)) return 0;
  const index = Math.max(1, Number(header));
  return index < before ? 0 : index;
}
