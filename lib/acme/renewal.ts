/** When certificates are asked for. Pure. */

/** A certificate is renewed when this share of its time is left: 30 of 90 days. */
const LEFT = 1 / 3;
/** And up to this share earlier, another for each host, so that not all come at once. */
const SPREAD = 1 / 24;
const FIRST_RETRY_MS = 2 * 60_000;
/** The longest pause after failures. */
export const LONGEST_RETRY_MS: number = 6 * 60 * 60_000;

/** When a certificate should be renewed, in the same milliseconds. `share`, in [0, 1), is the host's own. */
export function renewalAt(validFromMs: number, validToMs: number, share: number): number {
  const lifeMs = validToMs - validFromMs;
  return validToMs - lifeMs * (LEFT + SPREAD * share);
}

/**
 * Milliseconds until the next attempt after so many failures in a row, at least one: 2 minutes, doubled up to 6 hours, and
 * up to half of it less. Authorities forgive five failures an hour.
 */
export function retryMs(failures: number, random: number): number {
  return Math.min(FIRST_RETRY_MS * 2 ** (failures - 1), LONGEST_RETRY_MS) * (1 - random / 2);
}
