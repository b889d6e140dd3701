import type { Changes } from "./config/diff.ts";
import type { Conflict } from "./conflicts.ts";
import type { FieldPath, Forgotten } from "./forget.ts";
import type { Config } from "./model.ts";
import type { BackendStatus, PoolStatus, ServerStatus } from "./status.ts";
import type { Overlay } from "./overlay.ts";
import type { ReloadCounts } from "./reloads.ts";

/** Where the running configuration came from, as `GET /` shows it. */
export type ConfigSource =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "url"; readonly url: string }
  | { readonly kind: "consul"; readonly host: string; readonly key: string }
  | { readonly kind: "arguments" };

/** What an operator wants of a backend. Fields that are left out stay as they are. */
export type BackendChange = {
  /** In place of the discovered one; null gives it back. */
  readonly weight?: number | null;
  /** No new sessions (true), until its last ones are cut after so many milliseconds; false: as usual again. */
  readonly drain?: boolean | number;
};

/** What a reload has done. */
export type Reloaded = {
  readonly changes: Changes;
  /** Where the overlay wins over what this reload has changed; secrets are masked. */
  readonly conflicts: readonly Conflict[];
};

/** What the API may ask of the running balancer. */
export type Control = {
  /** The configuration in force. */
  config(): Config;
  /** A server's counters now, or undefined when there is no such server. */
  status(server: string): ServerStatus | undefined;
  /** A pool and its backends now, or undefined when there is no such pool. */
  pool(name: string): PoolStatus | undefined;
  /** Where the configuration came from. */
  source(): ConfigSource;
  /** What was changed beside the configuration's source. */
  overlay(): Overlay;
  /** Where the source has changed what the overlay changes, too; secrets are masked. */
  conflicts(): Conflict[];
  /** When the process started, milliseconds since 1970. */
  readonly startedAtMs: number;
  /** Reads the source anew. Says what changed. @throws ConfigError, StartError; then nothing has changed. */
  reload(): Promise<Reloaded>;
  /** Reloads since the start, whoever has ordered them. */
  reloads(): ReloadCounts;
  /**
   * Adds a server, given as a section of the configuration. It listens when this resolves.
   * @throws ConfigError when it can't be used, StartError when the name or the address is taken.
   */
  addServer(name: string, section: unknown): Promise<void>;
  /** Removes a server and ends its sessions. False: there is none. */
  removeServer(name: string): Promise<boolean>;
  /** Changes a backend, in all workers when this resolves. Undefined: there is none. */
  changeBackend(
    pool: string,
    backend: string,
    change: BackendChange,
  ): Promise<BackendStatus | undefined>;
  /**
   * Gives what is at and below a path of the overlay back to the source; in force in all workers when this resolves.
   * Undefined: there is nothing. @throws ConfigError, StartError where the source's own version doesn't work; then
   * nothing has changed.
   */
  forget(path: FieldPath): Promise<Forgotten | undefined>;
};
