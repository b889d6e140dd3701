import { messageOf, StartError } from "../errors.ts";
import { parseState, printState, type State } from "../state.ts";
import { probeFile, realPathOf, removeIfThere, replaceFile } from "./replace_file.ts";

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
    replaceFile(this.#real, printState(state));
  }

  /** Removes the file, if it is there. */
  remove(): void {
    removeIfThere(this.#real);
  }
}

function realPath(path: string): string {
  try {
    return realPathOf(path);
  } catch (error) {
    throw unusable(path, messageOf(error));
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

function unusable(path: string, why: string): StartError {
  return new StartError(
    `state file ${path} can't be used: ${why}`,
    "mend it, or move it away to start without what was changed through the API",
  );
}

/** Finds out before the first change whether a state file can be made there. @throws StartError when not. */
export function probeStateFile(path: string): void {
  realPath(path);
  probeFile(path, "state file");
}
