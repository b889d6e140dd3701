import { systemClock } from "../lib/clock.ts";
import type { Configuration } from "../lib/configuration.ts";
import { messageOf } from "../lib/errors.ts";
import { type PidFile, probePidFile, writePidFile } from "../lib/host/pid_file.ts";
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
const LAST_WORD_MS = 5_000;
const LOOK_MS = 10;

/**
 * The new side of a takeover. This process listens beside the old one first; then the pid file gets its number, the old
 * one is told and writes its state a last time, which this one takes over. Before the old one is told, everything that
 * goes wrong ends this process and leaves the old one serving; afterwards nothing does.
 */
export class Takeover {
  private constructor(readonly pid: number, readonly pidFile: string) {}

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
   *
   * @param statePaths Where the old one may keep its state.
   * @throws StartError when the pid file can't be written; the old one goes on then.
   */
  async complete(
    configuration: Configuration,
    statePaths: readonly (string | undefined)[],
    log: Log,
  ): Promise<PidFile> {
    if (await migratesConnections() === false) {
      log.warning(
        "clients that are just connecting may be reset when the old process stops listening; " +
          "to keep them, too: sysctl -w net.ipv4.tcp_migrate_req=1",
      );
    }
    const pidFile = writePidFile(this.pidFile, this.pid);
    if (tellPredecessor(this.pid)) {
      const files = statePaths.filter((path) => path !== undefined)
        .map((path) => new StateFile(path));
      await this.#inherit(configuration, files, log);
    }
    log.info("taken over", { pid: this.pid });
    return pidFile;
  }

  async #inherit(
    configuration: Configuration,
    files: readonly StateFile[],
    log: Log,
  ): Promise<void> {
    try {
      const state = await this.#lastWord(files);
      if (state === undefined) {
        log.warning("the old process hasn't said what it leaves; its last changes may be lost", {
          pid: this.pid,
        });
      }
      await configuration.inherit(state);
    } catch (error) {
      log.error("what the old process leaves can't be taken over", { why: messageOf(error) });
    }
  }

  /** What the old process writes as it hands over. */
  async #lastWord(files: readonly StateFile[]): Promise<State | undefined> {
    const end = systemClock.now() + LAST_WORD_MS;
    for (let there = true; there && systemClock.now() < end;) {
      there = isThere(this.pid); // before looking: it may write, then end
      const states = files.map((file) => file.read());
      const last = states.find((state) => state?.handedOverBy === this.pid);
      if (last !== undefined) return last;
      await systemClock.sleep(LOOK_MS);
    }
    return undefined;
  }
}
