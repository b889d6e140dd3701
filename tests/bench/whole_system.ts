/** What the whole machine has worked, whoever for: a packet that the kernel forwards is nobody's. */
import { shell } from "../support/twixt.ts";

/** Hundredths of a second in a second, as /proc/stat counts. */
const TICKS = 100;

/** Seconds that all cores have been busy since the start of the system: without idle, waiting and stolen time. */
export async function busySeconds(): Promise<number> {
  return parseBusy(await shell('read -r line < /proc/stat && echo "$line"'));
}

/** Reads the first line of /proc/stat. Pure. @throws Error for anything else. */
export function parseBusy(line: string): number {
  const [name, ...ticks] = line.trim().split(/\s+/);
  if (name !== "cpu" || ticks.length < 7) throw new Error(`/proc/stat says "${line}"`);
  const [user, nice, system, _idle, _waiting, interrupts, soft] = ticks.map(Number);
  return (user! + nice! + system! + interrupts! + soft!) / TICKS;
}
