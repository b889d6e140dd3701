import type { Clock } from "./clock.ts";
import { LOOK_MS, looksOf } from "./looks.ts";

/** Whose files are watched. */
export type Watched = {
  /** Paths of all files, those that are missing included. */
  certificateFiles(): readonly string[];
  /** Reads them anew. False: something can't be used, and should be tried again. */
  renewCertificates(signal: AbortSignal): Promise<boolean>;
};

/** Time between two looks, milliseconds. */
const PAUSE_MS = 4 * LOOK_MS;
/** They are read anew after so long in any case: who expires soon is warned of. */
const AGAIN_MS = 24 * 60 * 60_000;

/**
 * Has certificates read anew when their files look otherwise, and the same twice: nobody writes then. Looks nowhere while
 * nobody has any. Resolves when `signal` has aborted.
 */
export async function watchCertificates(
  watched: Watched,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  let used: string | undefined;
  let before: string | undefined;
  let readAt = clock.now();
  for (;;) {
    await clock.sleep(PAUSE_MS, signal);
    if (signal.aborted) return;
    const files = watched.certificateFiles();
    const now = (await Promise.all(files.map(looksOf))).join("");
    const isOld = clock.now() - readAt >= AGAIN_MS;
    if ((now !== used || isOld) && now === before && !signal.aborted) {
      readAt = clock.now();
      if (files.length === 0 || await watched.renewCertificates(signal)) used = now;
    }
    before = now;
  }
}
