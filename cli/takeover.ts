import { systemClock } from "../lib/clock.ts";
import type { Configuration } from "../lib/configuration.ts";
import { messageOf, StartError } from "../lib/errors.ts";
import {
  handoverPath,
  type PidFile,
  probePidFile,
  restorePidFile,
  writePidFile,
} from "../lib/host/pid_file.ts";
import { StateFile } from "../lib/host/state_file.ts";
import {
  findPredecessor,
  isThere,
  migratesConnections,
  tellPredecessor,
} from "../lib/host/takeover.ts";
import type { Log } from "../lib/log.ts";
import type { State } from "../lib/state.ts";

/** How long the old process may take to write its last word. */
const LAST_WORD_MS = 6_000;
const LOOK_MS = 10;

/**
 * The new side of a takeover. This process listens beside the old one first; then the pid file gets its number, the old
 * one is told, and leaves its state, its last word, in a file beside the pid file, which this one takes over. Without
 * that word the pid file is given back: everything that goes wrong before it ends this process and leaves the old one
 * serving, afterwards nothing does.
 */
export class Takeover {
  readonly #lastWord: StateFile;

  private constructor(readonly pid: number, readonly pidFile: string) {
    this.#lastWord = new StateFile(handoverPath(pidFile));
  }

  /** Undefined where the pid file names nobody who runs. @throws StartError when it can't be taken over. */
  static of(pidFile: string): Takeover | undefined {
    const pid = findPredecessor(pidFile);
    return pid === undefined ? undefined : new Takeover(pid, pidFile);
  }

  /** Can the pid file be written? @throws StartError */
  check(): void {
    probePidFile(this.pidFile);
  }

  /**
   * Makes the old process end its service; this one listens already. Returns the pid file, which the caller disposes.
   * @throws StartError when the pid file can't be written, or the old one doesn't answer; it goes on then.
   */
  async complete(configuration: Configuration, log: Log): Promise<PidFile> {
    if (await migratesConnections() === false) {
      log.warning(
        "clients that are just connecting may be reset when the old process stops listening; " +
          "to keep them, too: sysctl -w net.ipv4.tcp_migrate_req=1",
      );
    }
    const pidFile = writePidFile(this.pidFile, this.pid);
    const word = await this.#yielded(log);
    try {
      await configuration.inherit(word?.state);
    } catch (error) {
      log.error("what the old process leaves can't be taken over", { why: messageOf(error) });
    }
    this.#lastWord.remove();
    log.info("taken over", { pid: this.pid });
    return pidFile;
  }

  /** Tells the old one, and waits for its last word; undefined where it has died without one. */
  async #yielded(log: Log): Promise<LastWord | undefined> {
    this.#lastWord.remove(); // of whoever had the same number once
    tellPredecessor(this.pid);
    const word = await this.#hear(log);
    if (word !== undefined) return word;
    if (isThere(this.pid)) {
      restorePidFile(this.pidFile, this.pid);
      const late = this.#read(log); // it may have looked into the pid file just before
      if (late === undefined) throw this.#silent();
      writePidFile(this.pidFile, this.pid);
      return late;
    }
    log.warning("the old process has ended without a last word; its last changes may be lost", {
      pid: this.pid,
    });
    return undefined;
  }

  #silent(): StartError {
    return new StartError(
      `process ${this.pid} doesn't yield its service; it goes on`,
      `its log may say why; if it hangs, end it and start anew: kill -9 ${this.pid}`,
    );
  }

  async #hear(log: Log): Promise<LastWord | undefined> {
    const end = systemClock.now() + LAST_WORD_MS;
    for (let there = true; there && systemClock.now() < end;) {
      there = isThere(this.pid); // before looking: it may write, then end
      const word = this.#read(log);
      if (word !== undefined) return word;
      await systemClock.sleep(LOOK_MS);
    }
    return undefined;
  }

  /** It is there as a whole or not at all. One that can't be read is one, too: whoever has written it has yielded. */
  #read(log: Log): LastWord | undefined {
    try {
      const state = this.#lastWord.read();
      return state?.handedOverBy === this.pid ? { state } : undefined;
    } catch (error) {
      log.error("what the old process leaves can't be read; its last changes may be lost", {
        why: messageOf(error),
      });
      return { state: undefined };
    }
  }
}

/** That the old process yields, and its state where it can be read. */
type LastWord = { readonly state: State | undefined };
