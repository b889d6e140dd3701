import { loadConfig, type Loaded } from "./config/load.ts";
import { changedNames } from "./config/diff.ts";
import type { ConfigurationOptions, Hooks } from "./configuration_options.ts";
import { ConflictLog } from "./conflict_log.ts";
import { type Conflict, factsOf, findConflicts } from "./conflicts.ts";
import type { BackendChange, ConfigSource, Control, Reloaded } from "./control.ts";
import { type Effective, effective } from "./effective.ts";
import { messageOf, printProblem, StateError } from "./errors.ts";
import type { FieldPath, Forgotten } from "./forget.ts";
import type { Log } from "./log.ts";
import {
  backendKey,
  type BackendStatus,
  type Config,
  type PoolStatus,
  type ServerStatus,
} from "./model.ts";
import * as operations from "./operations.ts";
import { type BaseFacts, NO_OVERLAY, type Overlay, remembering, type Sections } from "./overlay.ts";
import { type ReloadCounts, type ReloadOrder, Reloads } from "./reloads.ts";
import type { BaseText } from "./source/source.ts";
import { NO_STATE } from "./state.ts";
import type { Supervisor } from "./supervisor.ts";
import { Turns } from "./turns.ts";

export type { ConfigurationOptions, Hooks };

/** What changes are put into force with. */
type Running = {
  readonly supervisor: Supervisor;
  readonly conflicts: ConflictLog;
  readonly log: Log;
  readonly hooks: Hooks;
};

/**
 * One truth from two sources: the base that people wrote, and over it what the API has changed. A reload reads the
 * base anew and keeps the changes; the files of the base are never written.
 */
export class Configuration implements Control {
  #base: BaseText | undefined;
  #overlay: Overlay = NO_OVERLAY;
  #stateFile: ReturnType<ConfigurationOptions["stateFile"]>;
  /** The base's own servers. */
  #inBase: Sections = {};
  #running: Running | undefined;
  readonly #turns = new Turns();
  #toldUnsaved = false;
  readonly #reloads: Reloads;

  /** Has read nothing yet: {@link load} does. */
  constructor(readonly options: ConfigurationOptions) {
    this.#reloads = new Reloads(options.wallTime);
  }

  /** When the process started, milliseconds since 1970. */
  get startedAtMs(): number {
    return this.options.startedAtMs;
  }

  /** Reads base and state file for the start. @throws ConfigError, StartError. */
  async load(): Promise<Loaded> {
    const { source, stateFile } = this.options;
    const base = this.#base = await source.read();
    this.#stateFile = stateFile(this.#alone(base));
    const { overlay } = this.#stateFile?.read() ?? NO_STATE;
    this.#overlay = overlay;
    const loaded = this.#effective(base, overlay);
    this.#inBase = loaded.inBase;
    return loaded;
  }

  /** From now on changes are put into force by this supervisor, where it has started with {@link load}'s answer. */
  async attach(supervisor: Supervisor, log: Log, hooks: Hooks): Promise<void> {
    const conflicts = new ConflictLog({
      find: () => findConflicts(this.#overlay, this.#facts),
      queue: (task) => this.#turns.next(task),
      log,
    });
    this.#running = { supervisor, conflicts, log, hooks };
    await supervisor.adjust(this.#overlay.backends);
    // an overlay that was kept without what the base said goes by what it says now
    this.#overlay = remembering(this.#overlay, this.#facts);
    conflicts.reloaded();
  }

  /** The configuration in force. */
  config(): Config {
    return this.#supervisor.config();
  }

  /** A server's counters now, or undefined when there is no such server. */
  status(server: string): ServerStatus | undefined {
    return this.#supervisor.status(server);
  }

  /** A pool and its backends now, or undefined when there is no such pool. */
  pool(name: string): PoolStatus | undefined {
    return this.#supervisor.pool(name);
  }

  /** Where the base comes from. */
  source(): ConfigSource {
    return this.options.source.about;
  }

  /** What was changed beside the base. */
  overlay(): Overlay {
    return this.#overlay;
  }

  /** Where the base has changed what the overlay changes, too; secrets are masked. */
  conflicts(): Conflict[] {
    return this.#started.conflicts.all();
  }

  /** Reloads since the start, whoever has ordered them. */
  reloads(): ReloadCounts {
    return this.#reloads.read();
  }

  /**
   * Reads the base anew, or takes this text for it, and puts it into force. Says what changed; after an error nothing
   * has.
   */
  reload(order: ReloadOrder = "api", text?: BaseText): Promise<Reloaded> {
    return this.#reloads.count(order, () => this.#turns.next(() => this.#reload(order, text)));
  }

  async #reload(order: ReloadOrder, text: BaseText | undefined): Promise<Reloaded> {
    const { supervisor, conflicts, log, hooks } = this.#started;
    const base = text ?? await this.options.source.read();
    this.#alone(base); // what the overlay hides must work, too: the next start reads it
    const { config, warnings, inBase } = this.#effective(base, this.#overlay);
    for (const warning of warnings) log.warning(printProblem(warning));
    const before = supervisor.config();
    hooks.check(before, config);
    const changes = await supervisor.apply(config);
    this.#base = base;
    this.#inBase = inBase;
    log.info(`reloaded: ${changes.text}`, { order, ...changedNames(changes) });
    const brought = conflicts.reloaded();
    await hooks.done(before, config);
    return { changes, conflicts: brought };
  }

  /** Backends that operators have given a weight may have another one by their discovery. */
  weightsChanged(): void {
    this.#running?.conflicts.discovered();
  }

  /** Adds a server. @throws ConfigError, StartError; then nothing has changed. StateError: done, but not saved. */
  addServer(name: string, section: unknown): Promise<void> {
    return this.#turns.next(async () => {
      const overlay = operations.addServer(this.#situation, name, section);
      await this.#change(overlay, { server: name });
    });
  }

  /** Removes a server and ends its sessions. False: there is none. StateError: done, but not saved. */
  removeServer(name: string): Promise<boolean> {
    return this.#turns.next(async () => {
      const overlay = operations.removeServer(this.#situation, name);
      if (overlay !== undefined) await this.#change(overlay, { server: name });
      return overlay !== undefined;
    });
  }

  /** Changes a backend. Undefined: there is none. StateError: done, but not saved. */
  changeBackend(
    pool: string,
    backend: string,
    change: BackendChange,
  ): Promise<BackendStatus | undefined> {
    return this.#turns.next(async () => {
      const find = () =>
        this.pool(pool)?.backends.find((each) => backendKey(each.backend) === backend);
      const discovered = find()?.discoveredWeight;
      if (discovered === undefined) return undefined;
      const at = { discovered, now: this.options.wallTime() };
      const overlay = operations.changeBackend(this.#overlay, [pool, backend], change, at);
      await this.#supervisor.adjust(overlay.backends);
      const after = overlay.backends[pool]?.[backend];
      this.#started.log.info("backend changed by an operator", { pool, backend, ...after });
      this.#keep(overlay);
      return find();
    });
  }

  /** Gives fields of the overlay back to the base. Undefined: there is nothing. StateError: done, but not saved. */
  forget(path: FieldPath): Promise<Forgotten | undefined> {
    return this.#turns.next(async () => {
      const back = operations.giveBack(this.#situation, path);
      if (back === undefined) return undefined;
      const { overlay, forgotten } = back;
      return { forgotten, changes: await this.#change(overlay, { forgotten }) };
    });
  }

  /** Puts a changed overlay into force. Where it is about a server that goes, its sessions end. */
  async #change(
    overlay: Overlay,
    about: { readonly server?: string; readonly forgotten?: readonly string[] },
  ): Promise<string> {
    const { config } = this.#effective(this.#base!, overlay);
    const cut = about.server === undefined ? [] : [about.server];
    const { text } = await this.#supervisor.apply(config, new Set(cut));
    await this.#supervisor.adjust(overlay.backends);
    this.#started.log.info("configuration changed by an operator", { ...about, changes: text });
    this.#keep(overlay);
    return text;
  }

  /** Remembers a change that is in force. */
  #keep(overlay: Overlay): void {
    this.#overlay = overlay;
    this.#started.conflicts.changed();
    const stateFile = this.#stateFile;
    if (stateFile === undefined) {
      if (!this.#toldUnsaved) {
        this.#started.log.warning(
          "changes made through the API end with this process: set state_file",
        );
      }
      this.#toldUnsaved = true;
      return;
    }
    try {
      stateFile.write({ overlay, down: {} });
    } catch (error) {
      const text = `state file ${stateFile.path} can't be written: ${messageOf(error)}`;
      this.#started.log.error(text);
      throw new StateError(`the change is in force, but it is lost with this process: ${text}`);
    }
  }

  get #facts(): BaseFacts {
    return factsOf(this.#inBase, (name) => this.pool(name));
  }

  get #situation(): operations.Situation {
    return { overlay: this.#overlay, inBase: this.#inBase, config: this.config() };
  }

  /** The base without the overlay. @throws ConfigError */
  #alone(base: BaseText): Config {
    const { kinds, lenient } = this.options;
    return loadConfig(base.text, { ...base, kinds, lenient }).config;
  }

  #effective(base: BaseText, overlay: Overlay): Effective {
    const { kinds, lenient } = this.options;
    return effective(base, overlay, {
      ...{ kinds, lenient },
      overlayFile: this.#stateFile?.path ?? "the overlay",
    });
  }

  get #started() {
    if (this.#running === undefined) throw new Error("the balancer hasn't started");
    return this.#running;
  }

  get #supervisor(): Supervisor {
    return this.#started.supervisor;
  }
}
