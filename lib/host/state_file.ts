import { messageOf, StartError } from "../errors.ts";
import { parseState, printState, type State } from "../state.ts";

/** Where the state is kept over restarts. */
export class StateFile {
  /** The file itself, where `path` is a link to it: replacing the link would leave the file as it was. */
  readonly #real: string;

  /** Touches nothing yet. @throws StartError for a link that leads nowhere. */
  constructor(readonly path: string) {
    this.#real = realPath(path);
  }

  /**
   * What the file holds; undefined where there is none.
   * @throws StartError when there is one that can't be used: ignoring it would undo what operators did.
   */
  read(): State | undefined {
    const text = textOf(this.path);
    if (text === undefined) return undefined;
    const state = parseState(text);
    if (typeof state === "string") throw unusable(this.path, state);
    return state;
  }

  /** Writes the state. @throws when the disk doesn't take it; the file is the old one then. */
  write(state: State): void {
    replace(this.#real, printState(state));
  }
}

function realPath(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch (error) {
    if (!isLink(path)) return path; // not there yet
    throw unusable(path, `it is a link that leads nowhere (${messageOf(error)})`);
  }
}

function isLink(path: string): boolean {
  try {
    return Deno.lstatSync(path).isSymlink;
  } catch {
    return false; // NotFound
  }
}

function textOf(path: string): string | undefined {
  try {
    if (Deno.statSync(path).isFile) return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw unusable(path, messageOf(error));
  }
  throw unusable(path, "it is not a plain file"); // a pipe would never end
}

function isDirectory(path: string): boolean {
  try {
    return Deno.lstatSync(path).isDirectory;
  } catch {
    return false; // NotFound
  }
}

function unusable(path: string, why: string): StartError {
  return new StartError(
    `state file ${path} can't be used: ${why}`,
    "mend it, or move it away to start without what was changed through the API",
  );
}

/** Finds out before the first change whether a state file can be made there. @throws StartError when not. */
export function probeStateFile(path: string): void {
  const real = realPath(path);
  const temporary = `${real}.probe`; // not the one through which another process may be writing
  try {
    removeIfThere(temporary);
    Deno.openSync(temporary, { write: true, createNew: true, mode: 0o600 }).close();
    removeIfThere(temporary);
    if (isDirectory(`${real}.new`)) throw new Error(`${real}.new is a directory: move it away`);
  } catch (error) {
    throw new StartError(
      `state file ${path} can't be written: ${messageOf(error)}`,
      "choose a path in a folder that exists and that this user may write to",
    );
  }
}

/** Old or new, never torn: a whole temporary file, on the disk, then renamed. */
function replace(path: string, text: string): void {
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

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // it isn't there, or can't be removed, and then it can't be made anew either
  }
}
