import type { Loaded } from "./config/load.ts";
import { changedNames } from "./config/diff.ts";
import type { ConfigurationOptions, Hooks } from "./configuration_options.ts";
import { ConflictLog } from "./conflict_log.ts";
import { type Conflict, factsOf, findConflicts } from "./conflicts.ts";
import type { BackendChange, ConfigSource, Control, Reloaded } from "./control.ts";
import { baseAlone, effective, type EffectiveOptions } from "./effective.ts";
import { problemLine, StartError } from "./errors.ts";
import type { FieldPath, Forgotten } from "./forget.ts";
import type { Log } from "./log.ts";
import type { Config } from "./model.ts";
import { type BackendStatus, findBackend, type PoolStatus, type ServerStatus } from "./status.ts";
import * as operations from "./operations.ts";
import { type BaseFacts, NO_OVERLAY, type Overlay, remembering, type Sections } from "./overlay.ts";
import { type ReloadCounts, type ReloadOrder, Reloads } from "./reloads.ts";
import type { BaseText } from "./source/source.ts";
import { type DownBackends, NO_STATE, type State } from "./state.ts";
import { StateKeeper } from "./state_keeper.ts";
import type { Supervisor } from "./supervisor.ts";
import { Turns } from "./turns.ts";

export type { ConfigurationOptions, Hooks };

/** What changes are put into force with. */
type Running = {
  readonly supervisor: Supervisor;
  readonly keeper: StateKeeper;
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
  /** The backends that the process before this one has found to be down, where it runs still. */
  leftDown: DownBackends = {};
  readonly #reloads: Reloads;

  /** Called around each reload, whoever asks for it. */
  around: <T>(reload: () => Promise<T>) => Promise<T> = (reload) => reload();

  /** Has read nothing yet: {@link load} does. */
  constructor(readonly options: ConfigurationOptions) {
    this.#reloads = new Reloads(options.wallTime);
  }

  /** When the process started, milliseconds since 1970. */
  get startedAtMs(): number {
    return this.options.startedAtMs;
  }

  /** Reads base and state file for the start, unless `signal` aborts. @throws ConfigError, StartError. */
  async load(signal?: AbortSignal): Promise<Loaded> {
    const { source, stateFile } = this.options;
    const base = this.#base = await source.read(signal);
    this.#stateFile = stateFile(baseAlone(base, this.#reading));
    const { overlay, down } = this.#stateFile?.read() ?? NO_STATE;
    this.#overlay = overlay;
    if (this.options.inherits) this.leftDown = down;
    const loaded = effective(base, overlay, this.#reading);
    this.#inBase = loaded.inBase;
    return loaded;
  }

  /** From now on changes are put into force by this supervisor, where it has started with {@link load}'s answer. */
  async attach(supervisor: Supervisor, log: Log, hooks: Hooks): Promise<void> {
    const down = () => supervisor.down();
    const keeper = new StateKeeper({ file: this.#stateFile, overlay: this.#overlay, down, log });
    if (!this.options.inherits) keeper.begin();
    const conflicts = new ConflictLog({
      find: () => findConflicts(this.#overlay, this.#facts),
      queue: (task) => this.#turns.next(task),
      log,
    });
    this.#running = { supervisor, keeper, conflicts, log, hooks };
    await supervisor.adjust(this.#overlay.backends);
    // an overlay that was kept without what the base said goes by what it says now
    this.#overlay = remembering(this.#overlay, this.#facts);
    conflicts.reloaded();
    if (Object.keys(supervisor.down()).length > 0) keeper.healthChanged(); // found while nobody was attached
    this.options.source.inForce?.(this.#base!, log);
  }

  /** Checks have taken a backend down, or brought one back. */
  healthChanged(): void {
    this.#running?.keeper.healthChanged();
  }

  /** The state now, for a process that takes over. */
  lastWord(): State {
    return this.#started.keeper.lastWord();
  }

  /** Resolves when the changes that were asked for before have been made. */
  quiet(): Promise<void> {
    return this.#turns.next(() => Promise.resolve());
  }

  /**
   * Takes over what the process before this one has written as its last word, if it has, and keeps the state from now
   * on. @throws StateError, ConfigError, StartError
   */
  inherit(state: State | undefined): Promise<void> {
    return this.#turns.next(async () => {
      const { supervisor, keeper, conflicts } = this.#started;
      keeper.begin();
      if (state === undefined) return;
      const { overlay, down } = state;
      supervisor.believe(down);
      const { config } = effective(this.#base!, overlay, this.#reading);
      await supervisor.apply(config, { beside: "any" });
      await supervisor.adjust(overlay.backends);
      this.#overlay = remembering(overlay, this.#facts);
      conflicts.reloaded();
      this.#keep(this.#overlay);
    });
  }

  /** Nothing can be changed any more, and nothing is written to the state file. `why` is what whoever asks is told. */
  close(why: string = "the process is ending"): void {
    this.#turns.end(new StartError(why, "ask the one that serves now"));
    this.#running?.keeper[Symbol.dispose]();
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
    const reload = () => this.around(() => this.#reload(order, text));
    return this.#reloads.count(order, () => this.#turns.next(reload), this.#started.log);
  }

  async #reload(order: ReloadOrder, text: BaseText | undefined): Promise<Reloaded> {
    const { supervisor, conflicts, log, hooks } = this.#started;
    const base = text ?? await this.options.source.read();
    this.#turns.check();
    baseAlone(base, this.#reading); // what the overlay hides must work, too: the next start reads it
    const { config, warnings, inBase } = effective(base, this.#overlay, this.#reading);
    for (const warning of warnings) log.warning(problemLine(warning));
    const before = supervisor.config();
    hooks.check(before, config);
    const changes = await supervisor.apply(config);
    this.#base = base;
    this.#inBase = inBase;
    log.info(`reloaded: ${changes.text}`, { order, ...changedNames(changes) });
    this.options.source.inForce?.(base, log);
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
      const find = () => findBackend(this.pool(pool), backend);
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
    const reading = { ...this.#reading, kept: this.#overlay };
    const { config } = effective(this.#base!, overlay, reading);
    this.#started.hooks.check(this.config(), config);
    const cut = about.server === undefined ? {} : { cut: about.server };
    const { text } = await this.#supervisor.apply(config, cut);
    await this.#supervisor.adjust(overlay.backends);
    this.#started.log.info("configuration changed by an operator", { ...about, changes: text });
    this.#keep(overlay);
    return text;
  }

  /** Remembers a change that is in force. */
  #keep(overlay: Overlay): void {
    this.#overlay = overlay;
    this.#started.conflicts.changed();
    this.#started.keeper.keep(overlay);
  }

  get #facts(): BaseFacts {
    return factsOf(this.#inBase, (name) => this.pool(name));
  }

  get #situation(): operations.Situation {
    return { overlay: this.#overlay, inBase: this.#inBase, config: this.config() };
  }

  get #reading(): EffectiveOptions {
    const { kinds, lenient, allowExec } = this.options;
    return { kinds, lenient, allowExec, overlayFile: this.#stateFile?.path ?? "the overlay" };
  }

  get #started() {
    if (this.#running === undefined) throw new Error("the balancer hasn't started");
    return this.#running;
  }

  get #supervisor(): Supervisor {
    return this.#started.supervisor;
  }
}
