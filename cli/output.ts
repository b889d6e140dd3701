/** Where a command writes what people read. */
export type Output = {
  /** What was asked for. */
  out(text: string): void;
  /** What went wrong, and what to do. */
  err(text: string): void;
};

/** The standard streams. A reader that has gone doesn't matter. */
export const standardOutput: Output = {
  out: (text) => write(Deno.stdout, text),
  err: (text) => write(Deno.stderr, text),
};

function write(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let at = 0; at < bytes.length;) at += stream.writeSync(bytes.subarray(at));
  } catch {
    // nobody reads it, or the disk is full: there is nobody to tell
  }
}
