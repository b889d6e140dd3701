/** What a load process and its test say to each other: a line when it is ready, its figures when it is told to end. */

/** Writes a line that the test reads. */
export function say(value: unknown): void {
  console.log(JSON.stringify(value));
}

/** Resolves when the test wants it to end, or has ended itself. */
export async function toldToEnd(): Promise<void> {
  const buffer = new Uint8Array(64);
  while (await Deno.stdin.read(buffer) !== null); // nothing is sent: the end is the word
}
