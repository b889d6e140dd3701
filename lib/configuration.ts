import { type Kinds, loadConfig, type Loaded } from "./config/load.ts";
import type { BackendChange, ConfigSource, Control } from "./control.ts";
import { type Effective, effective } from "./effective.ts";
import { printProblem, StartError } from "./errors.ts";
import type { StateFile } from "./host/state_file.ts";
import type { Log } from "./log.ts";
import {
  backendKey,
  type BackendStatus,
  type Config,
  type PoolStatus,
  type ServerStatus,
} from "./model.ts";
import {
  type BackendOverlay,
  NO_OVERLAY,
  type Overlay,
  withBackend,
  withoutServer,
  withServer,
} from "./overlay.ts";
import type { BaseText, Source } from "./source/source.ts";
import { type DownBackends, NO_STATE, type State } from "./state.ts";
import { StateKeeper } from "./state_keeper.ts";
import type { Supervisor } from "./supervisor.ts";

/** What the effective configuration is made from. */
export type ConfigurationOptions = {
  /** Where the base comes from. */
  readonly source: Source;
  readonly kinds: Kinds;
  readonly lenient: boolean;
  /** Where changes made through the API are kept; without a file they end with the process. @throws StartError */
  stateFile(config: Config): Pick<StateFile, "path" | "read" | "write"> | undefined;
  /** Another process still keeps the state; what it leaves comes with {@link Configuration.inherit}. */
  readonly inherits?: boolean;
  readonly startedAtMs: number;
  /** Milliseconds since 1970. */
  wallTime(): number;
};

/** What a change means for all that isn't the supervisor's. */
export type Hooks = {
  /** Called before anything changes. @throws StartError when it can't be done. */
  check(before: Config, after: Config): void;
  /** Called when servers and pools have changed. */
  done(before: Config, after: Config): Promise<void>;
};

/** What changes are put into force with. */
type Running = {
  readonly supervisor: Supervisor;
  readonly keeper: StateKeeper;
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
  /** The names of the base's own servers. */
  #inBase: readonly string[] = [];
  #running: Running | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #leftDown: DownBackends = {};
  #handedOver = false;

  /** Called around each reload, whoever asks for it. */
  around: (reload: () => Promise<string>) => Promise<string> = (reload) => reload();

  /** Has read nothing yet: {@link load} does. */
  constructor(readonly options: ConfigurationOptions) {}

  /** When the process started, milliseconds since 1970. */
  get startedAtMs(): number {
    return this.options.startedAtMs;
  }

  /** The backends that the process before this one has found to be down, where it runs still. */
  get leftDown(): DownBackends {
    return this.#leftDown;
  }

  /** Reads base and state file for the start, unless `signal` aborts. @throws ConfigError, StartError. */
  async load(signal?: AbortSignal): Promise<Loaded> {
    const { source, kinds, lenient, stateFile } = this.options;
    const base = this.#base = await source.read(signal);
    const alone = loadConfig(base.text, { ...base, kinds, lenient });
    this.#stateFile = stateFile(alone.config);
    const { overlay, down } = this.#stateFile?.read() ?? NO_STATE;
    this.#overlay = overlay;
    if (this.options.inherits) this.#leftDown = down;
    const loaded = this.#effective(base, overlay);
    this.#inBase = loaded.inBase;
    return loaded;
  }

  /** From now on changes are put into force by this supervisor, where it has started with {@link load}'s answer. */
  async attach(supervisor: Supervisor, log: Log, hooks: Hooks): Promise<void> {
    const down = () => supervisor.down();
    const keeper = new StateKeeper({ file: this.#stateFile, overlay: this.#overlay, down, log });
    if (!this.options.inherits) keeper.begin();
    this.#running = { supervisor, keeper, log, hooks };
    await supervisor.adjust(this.#overlay.backends);
    this.options.source.inForce?.(this.#base!, log);
  }

  /** Checks have taken a backend down, or brought one back. */
  healthChanged(): void {
    this.#running?.keeper.healthChanged();
  }

  /** Another process has taken over: the state is written a last time, and nothing can be changed any more. */
  handOver(): Promise<void> {
    return this.#next(() => {
      this.#started.keeper.handOver();
      this.#handedOver = true;
      return Promise.resolve();
    });
  }

  /**
   * Takes over what the process before this one has written as its last word, if it has, and keeps the state from now
   * on. @throws StateError, ConfigError, StartError
   */
  inherit(state: State | undefined): Promise<void> {
    return this.#next(async () => {
      const { supervisor, keeper } = this.#started;
      keeper.begin();
      if (state === undefined) return;
      const { overlay } = state;
      const { config } = this.#effective(this.#base!, overlay);
      await supervisor.apply(config, { beside: true });
      await supervisor.adjust(overlay.backends);
      this.#keep(overlay);
    });
  }

  /** Writes nothing more to the state file. */
  close(): void {
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

  /**
   * Reads the base anew, or takes this text for it, and puts it into force. Says what changed; after an error nothing
   * has.
   */
  reload(text?: BaseText): Promise<string> {
    return this.#next(() => this.around(() => this.#reload(text)));
  }

  async #reload(text?: BaseText): Promise<string> {
    const { supervisor, log, hooks } = this.#started;
    const base = text ?? await this.options.source.read();
    const { config, warnings, inBase } = this.#effective(base, this.#overlay);
    for (const warning of warnings) log.warning(printProblem(warning));
    const before = supervisor.config();
    hooks.check(before, config);
    const changes = await supervisor.apply(config);
    this.#base = base;
    this.#inBase = inBase;
    log.info(`reloaded: ${changes}`);
    this.options.source.inForce?.(base, log);
    await hooks.done(before, config);
    return changes;
  }

  /** Adds a server. @throws ConfigError, StartError; then nothing has changed. StateError: done, but not saved. */
  addServer(name: string, section: unknown): Promise<void> {
    return this.#next(async () => {
      if (this.config().servers.has(name)) {
        throw new StartError(
          `there is a server "${name}" already`,
          `DELETE /servers/${name} first`,
        );
      }
      const given = (section ?? {}) as Readonly<Record<string, unknown>>;
      await this.#change(withServer(this.#overlay, name, given), name);
    });
  }

  /** Removes a server and ends its sessions. False: there is none. StateError: done, but not saved. */
  removeServer(name: string): Promise<boolean> {
    return this.#next(async () => {
      const { servers, document } = this.config();
      if (!servers.has(name)) return false;
      const ownPool = document.pools?.[name] === undefined;
      await this.#change(withoutServer(this.#overlay, name, this.#inBase, ownPool), name);
      return true;
    });
  }

  /** Changes a backend. Undefined: there is none. StateError: done, but not saved. */
  changeBackend(
    pool: string,
    backend: string,
    change: BackendChange,
  ): Promise<BackendStatus | undefined> {
    return this.#next(async () => {
      const find = () =>
        this.pool(pool)?.backends.find((each) => backendKey(each.backend) === backend);
      if (find() === undefined) return undefined;
      const before = this.#overlay.backends[pool]?.[backend] ?? {};
      const after = changed(before, change, this.options.wallTime());
      const overlay = withBackend(this.#overlay, pool, backend, after);
      await this.#supervisor.adjust(overlay.backends);
      this.#started.log.info("backend changed by an operator", { pool, backend, ...after });
      this.#keep(overlay);
      return find();
    });
  }

  /** Puts a changed overlay into force; what is wrong with it is wrong with the server named. */
  async #change(overlay: Overlay, server: string): Promise<void> {
    const { config } = this.#effective(this.#base!, overlay);
    const changes = await this.#supervisor.apply(config, { cut: server });
    await this.#supervisor.adjust(overlay.backends);
    this.#started.log.info("configuration changed by an operator", { server, changes });
    this.#keep(overlay);
  }

  /** Remembers a change that is in force. */
  #keep(overlay: Overlay): void {
    this.#overlay = overlay;
    this.#started.keeper.keep(overlay);
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

  /** One change at a time, in the order in which they were asked for. */
  #next<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(() => {
      if (!this.#handedOver) return task();
      throw new StartError("another process has taken over from this one", "ask that one");
    });
    this.#turn = done.catch(() => {}); // whoever asked handles it
    return done;
  }
}

/** A backend's changes after one more. */
function changed(before: BackendOverlay, change: BackendChange, now: number): BackendOverlay {
  const { weight, drain } = change;
  const { weight: _weight, ...rest } = before;
  const weighed = weight === undefined ? before : weight === null ? rest : { ...rest, weight };
  if (drain === undefined) return weighed;
  const { draining: _draining, drainUntilMs: _until, ...enabled } = weighed;
  if (drain === false) return enabled;
  return drain === true
    ? { ...enabled, draining: true }
    : { ...enabled, draining: true, drainUntilMs: now + drain };
}
