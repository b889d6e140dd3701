import { type Kinds, loadConfig, type Loaded } from "./config/load.ts";
import type { BackendChange, ConfigSource, Control } from "./control.ts";
import { ConfigError, messageOf, printProblem, StartError, StateError } from "./errors.ts";
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
  amend,
  type BackendOverlay,
  NO_OVERLAY,
  type Overlay,
  serverNames,
  withBackend,
  withoutServer,
  withServer,
} from "./overlay.ts";
import type { BaseText, Source } from "./source/source.ts";
import { NO_STATE } from "./state.ts";
import type { Supervisor } from "./supervisor.ts";

/** What the effective configuration is made from. */
export type ConfigurationOptions = {
  /** Where the base comes from. */
  readonly source: Source;
  readonly kinds: Kinds;
  readonly lenient: boolean;
  /** Where changes made through the API are kept; without a file they end with the process. @throws StartError */
  stateFile(config: Config): Pick<StateFile, "path" | "read" | "write"> | undefined;
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
  #running:
    | { readonly supervisor: Supervisor; readonly log: Log; readonly hooks: Hooks }
    | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #toldUnsaved = false;

  /** Has read nothing yet: {@link load} does. */
  constructor(readonly options: ConfigurationOptions) {}

  /** When the process started, milliseconds since 1970. */
  get startedAtMs(): number {
    return this.options.startedAtMs;
  }

  /** Reads base and state file for the start. @throws ConfigError, StartError. */
  async load(): Promise<Loaded> {
    const { source, kinds, lenient, stateFile } = this.options;
    const base = this.#base = await source.read();
    const alone = loadConfig(base.text, { ...base, kinds, lenient });
    this.#stateFile = stateFile(alone.config);
    const { overlay } = this.#stateFile?.read() ?? NO_STATE;
    this.#overlay = overlay;
    return this.#blamed(() => this.#effective(base, overlay));
  }

  /** From now on changes are put into force by this supervisor, where it has started with {@link load}'s answer. */
  async attach(supervisor: Supervisor, log: Log, hooks: Hooks): Promise<void> {
    this.#running = { supervisor, log, hooks };
    await supervisor.adjust(this.#overlay.backends);
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
    return this.#next(async () => {
      const { supervisor, log, hooks } = this.#started;
      const base = text ?? await this.options.source.read();
      const inBase = this.#inBase;
      const { config, warnings } = this.#blamed(() => this.#effective(base, this.#overlay));
      const newNames = this.#inBase;
      this.#inBase = inBase; // until the new base is in force
      for (const warning of warnings) log.warning(printProblem(warning));
      const before = supervisor.config();
      hooks.check(before, config);
      const changes = await supervisor.apply(config);
      this.#base = base;
      this.#inBase = newNames;
      log.info(`reloaded: ${changes}`);
      await hooks.done(before, config);
      return changes;
    });
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
    const changes = await this.#supervisor.apply(config, new Set([server]));
    await this.#supervisor.adjust(overlay.backends);
    this.#started.log.info("configuration changed by an operator", { server, changes });
    this.#keep(overlay);
  }

  /** Remembers a change that is in force. */
  #keep(overlay: Overlay): void {
    this.#overlay = overlay;
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

  /** What is wrong with a server that the API has added stands in the state file, not in the base. */
  #blamed<T>(load: () => T): T {
    try {
      return load();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      const file = this.#stateFile?.path ?? "the overlay";
      throw new ConfigError(error.problems.map((problem) => {
        const [section, name] = problem.path;
        const added = section === "servers" && Object.hasOwn(this.#overlay.servers, name ?? "");
        if (!added) return problem;
        const hint = `the API has added this server; mend or move ${file}`;
        return { path: problem.path, message: problem.message, hint, file };
      }));
    }
  }

  #effective(base: BaseText, overlay: Overlay): Loaded {
    const { kinds, lenient } = this.options;
    let inBase: readonly string[] = [];
    const loaded = loadConfig(base.text, {
      file: base.file,
      format: base.format,
      kinds,
      lenient,
      amend: (tree) => {
        inBase = serverNames(tree);
        return amend(tree, overlay);
      },
    });
    refuseIdle(loaded.config, base.file);
    this.#inBase = inBase;
    return loaded;
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
    const done = this.#turn.then(task);
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

/**
 * Refuses a configuration with neither a server nor an API: it has nothing to do, and was most likely caught while
 * somebody was writing it.
 * @throws ConfigError
 */
export function refuseIdle(config: Config, file: string): void {
  if (config.servers.size > 0 || config.api !== undefined) return;
  throw new ConfigError([{
    path: [],
    message: "there is nothing to do: no server and no API",
    hint: 'add [servers.NAME] with a bind and a discovery; "twixt init" prints an example',
    file,
  }]);
}
