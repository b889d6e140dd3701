/** What the descriptor limit allows. Pure. */
export type DescriptorBudget = {
  /** Sessions of the whole process; each takes two descriptors. */
  readonly sessions: number;
  /** Checks that may run at the same time; each takes one. */
  readonly checks: number;
};

/** Left over for everything else: the API's connections, files, a new worker. */
const RESERVE = 64;

/**
 * Divides the descriptors.
 *
 * @param limit The soft limit; undefined counts as 1,024, the usual one.
 * @param open Descriptors open once everything listens.
 */
export function descriptorBudget(limit: number | undefined, open: number): DescriptorBudget {
  const total = limit ?? 1024;
  const checks = Math.max(8, Math.min(256, Math.floor(total / 64)));
  const sessions = Math.floor((total - open - RESERVE - checks) / 2);
  return { sessions: Math.max(1, sessions), checks };
}
