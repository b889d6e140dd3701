import type { Kinds } from "./config/load.ts";
import type { StateFile } from "./host/state_file.ts";
import type { Config } from "./model.ts";
import type { Source } from "./source/source.ts";

/** What the effective configuration is made from. */
export type ConfigurationOptions = {
  /** Where the base comes from. */
  readonly source: Source;
  readonly kinds: Kinds;
  readonly lenient: boolean;
  /** Programs that servers which the API adds may run, beside the commands of the base. */
  readonly allowExec?: readonly string[] | undefined;
  /** Where changes made through the API are kept; without a file they end with the process. @throws StartError */
  stateFile(config: Config): Pick<StateFile, "path" | "read" | "write"> | undefined;
  /** Another process still keeps the state; what it leaves comes with `Configuration.inherit`. */
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
