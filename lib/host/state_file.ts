import { messageOf, StartError } from "../errors.ts";
import { NO_OVERLAY, type Overlay, parseOverlay, printOverlay } from "../overlay.ts";

/** Where the overlay is kept over restarts. */
export type StateFile = {
  readonly path: string;
  /** Writes the overlay. @throws when the disk doesn't take it; the file is the old one then. */
  write(overlay: Overlay): void;
};

/**
 * Reads a state file, or starts without one.
 * @throws StartError when there is one that can't be used: ignoring it would undo what operators did.
 */
export function openStateFile(
  path: string,
): { readonly file: StateFile; readonly overlay: Overlay } {
  const file: StateFile = { path, write: (overlay) => replace(path, printOverlay(overlay)) };
  let text: string;
  try {
    if (!Deno.statSync(path).isFile) throw unusable(path, "it is not a plain file"); // a pipe would never end
    text = Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      return { file, overlay: NO_OVERLAY };
    }
    throw error instanceof StartError ? error : unusable(path, messageOf(error));
  }
  const overlay = parseOverlay(text);
  if (typeof overlay === "string") throw unusable(path, overlay);
  return { file, overlay };
}

function unusable(path: string, why: string): StartError {
  return new StartError(
    `state file ${path} can't be used: ${why}`,
    "mend it, or move it away to start without what was changed through the API",
  );
}

/** Finds out before the first change whether a state file can be made there. @throws StartError when not. */
export function probeStateFile(path: string): void {
  const temporary = temporaryOf(path);
  try {
    removeIfThere(temporary);
    Deno.openSync(temporary, { write: true, createNew: true, mode: 0o600 }).close();
    removeIfThere(temporary);
  } catch (error) {
    throw new StartError(
      `state file ${path} can't be written: ${messageOf(error)}`,
      "choose a path in a folder that exists and that this user may write to",
    );
  }
}

function temporaryOf(path: string): string {
  return `${path}.new`;
}

/** Old or new, never torn: a whole temporary file, on the disk, then renamed. */
function replace(path: string, text: string): void {
  const temporary = temporaryOf(path);
  const bytes = new TextEncoder().encode(text);
  removeIfThere(temporary); // left by a kill; never write through what somebody else has put there
  try {
    using file = Deno.openSync(temporary, { write: true, createNew: true, mode: 0o600 });
    for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
    file.syncSync();
  } catch (error) {
    removeIfThere(temporary);
    throw error;
  }
  Deno.renameSync(temporary, path);
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // it isn't there, or can't be removed, and then it can't be made anew either
  }
}
