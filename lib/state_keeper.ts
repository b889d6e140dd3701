import { messageOf, StateError } from "./errors.ts";
import type { StateFile } from "./host/state_file.ts";
import type { Log } from "./log.ts";
import type { Overlay } from "./overlay.ts";
import type { DownBackends, State } from "./state.ts";

/** What a state is kept with. */
export type StateKeeperOptions = {
  /** Absent: what operators change ends with the process. */
  readonly file: Pick<StateFile, "path" | "write"> | undefined;
  /** What is there already. */
  readonly overlay: Overlay;
  /** The backends that are down now. */
  down(): DownBackends;
  readonly log: Log;
};

/** Checks may flip in crowds: they are written together. */
const HEALTH_MS = 500;

/**
 * Keeps the state in its file: at once what operators change, a little later what checks find out. Dispose it: what is
 * still to be written is left out then.
 */
export class StateKeeper implements Disposable {
  #overlay: Overlay;
  #soon: ReturnType<typeof setTimeout> | undefined;
  #toldUnsaved = false;
  #failing = false;
  #begun = false;
  #ended = false;

  /** Writes nothing before {@link begin}: the file may be another process's still. */
  constructor(readonly options: StateKeeperOptions) {
    this.#overlay = options.overlay;
  }

  /** From now on the file is this process's. */
  begin(): void {
    this.#begun = true;
  }

  /** Keeps a change that is in force. @throws StateError when it can't be kept. */
  keep(overlay: Overlay): void {
    this.#overlay = overlay;
    const { file, log } = this.options;
    if (this.#ended) throw new StateError("another process has taken over: the change is lost");
    if (file === undefined) {
      if (this.#toldUnsaved) return;
      this.#toldUnsaved = true;
      return log.warning("changes made through the API end with this process: set state_file");
    }
    const why = this.#write();
    if (why === undefined) return;
    throw new StateError(`the change is in force, but it is lost with this process: ${why}`);
  }

  /** Checks have taken a backend down, or brought one back. */
  healthChanged(): void {
    if (this.options.file === undefined || !this.#begun) return;
    this.#soon ??= setTimeout(() => this.#write(), HEALTH_MS);
  }

  /** The state now, for a process that takes over. */
  lastWord(): State {
    return { overlay: this.#overlay, down: this.options.down(), handedOverBy: Deno.pid };
  }

  /** Why it couldn't be written. */
  #write(): string | undefined {
    clearTimeout(this.#soon);
    this.#soon = undefined;
    const { file, down, log } = this.options;
    if (!this.#begun || file === undefined) return undefined;
    try {
      file.write({ overlay: this.#overlay, down: down() });
      this.#failing = false;
      return undefined;
    } catch (error) {
      const why = `state file ${file.path} can't be written: ${messageOf(error)}`;
      if (!this.#failing) log.error(why);
      this.#failing = true;
      return why;
    }
  }

  /** Writes nothing more. */
  [Symbol.dispose](): void {
    this.#begun = false;
    this.#ended = true;
    clearTimeout(this.#soon);
  }
}
