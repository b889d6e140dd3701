/** The candidate that was probably meant by a misspelt word, or undefined when none is close. */
export function suggest(word: string, candidates: readonly string[]): string | undefined {
  const typed = word.toLowerCase().slice(0, 64);
  let best: string | undefined;
  let least = Math.max(1, Math.floor(typed.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(typed, candidate.toLowerCase());
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/**
 * `did you mean "weight"? One of weight, roundrobin`, or the list alone when nothing is close. `unlisted` may be meant,
 * too, but isn't offered.
 */
export function oneOf(
  word: string,
  candidates: readonly string[],
  unlisted: readonly string[] = [],
): string {
  const close = suggest(word, [...candidates, ...unlisted]);
  const list = candidates.join(", ");
  return close === undefined ? `One of ${list}` : `did you mean "${close}"? One of ${list}`;
}

/** Single-character edits between two words; swapping two neighbours counts as one. */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, before[j - 2]! + 1);
      }
      row.push(cost);
    }
    before = last;
    last = row;
  }
  return last[b.length]!;
}
