import { messageOf, StartError } from "../errors.ts";

/**
 * Replaces a file, which only this user may read: old or new, never torn, as a whole temporary file gets to the disk,
 * then its name. For a file behind a link give its {@link realPathOf}: otherwise the link is replaced.
 *
 * @throws when the disk doesn't take it; the file is the old one then.
 */
export function replaceFile(path: string, text: string): void {
  const temporary = `${path}.new`;
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

/** The file itself, where `path` is a link to it. @throws Error for a link that leads nowhere. */
export function realPathOf(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch (error) {
    if (lstat(path)?.isSymlink !== true) return path; // not there yet
    throw new Error(`it is a link that leads nowhere (${messageOf(error)})`);
  }
}

/** Finds out beforehand whether a file can be made there. @throws StartError when not; `what` is what it is for. */
export function probeFile(path: string, what: string): void {
  try {
    const real = realPathOf(path);
    const temporary = `${real}.probe`; // not the one through which another process may be writing
    removeIfThere(temporary);
    Deno.openSync(temporary, { write: true, createNew: true, mode: 0o600 }).close();
    removeIfThere(temporary);
    const taken = lstat(`${real}.new`)?.isDirectory === true;
    if (taken) throw new Error(`${real}.new is a directory: move it away`);
  } catch (error) {
    throw new StartError(
      `${what} ${path} can't be written: ${messageOf(error)}`,
      "choose a path in a folder that exists and that this user may write to",
    );
  }
}

function lstat(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch {
    return undefined; // NotFound
  }
}

/** Removes a file, if it can be removed. */
export function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // it isn't there, or can't be removed, and then it can't be made anew either
  }
}
