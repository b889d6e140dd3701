/** What the descriptor limit allows. Pure. */
export type DescriptorBudget = {
  /** Sessions of the whole process; each takes two descriptors. */
  readonly sessions: number;
  /** Connections to the API at the same time; each takes three. */
  readonly api: number;
  /** Checks that may run at the same time; each takes one. */
  readonly checks: number;
};

/** Left over for everything else: files, a new worker. */
const RESERVE = 28;

/**
 * Divides the descriptors.
 *
 * @param limit The soft limit; undefined counts as 1,024, the usual one.
 * @param open Descriptors open once everything listens.
 * @param handshakes That clients may leave unfinished without being sessions; each takes one. No more than a quarter of
 *   the limit is kept for them.
 */
export function descriptorBudget(
  limit: number | undefined,
  open: number,
  handshakes: number = 0,
): DescriptorBudget {
  const total = limit ?? 1024;
  const checks = Math.max(8, Math.min(256, Math.floor(total / 64)));
  const api = Math.max(12, Math.min(128, Math.floor(total / 64)));
  const kept = Math.min(handshakes, Math.floor(total / 4));
  const sessions = Math.floor((total - open - kept - RESERVE - 3 * api - checks) / 2);
  return { sessions: Math.max(1, sessions), api, checks };
}
