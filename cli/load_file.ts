import { type Kinds, loadConfig, type Loaded } from "../lib/config/load.ts";
import { refuseIdle } from "../lib/effective.ts";
import { fromFile, type SourceOptions } from "./sources.ts";

/** How a configuration file is read. */
export type LoadFileOptions = SourceOptions & {
  readonly kinds: Kinds;
  /** Makes unknown keys warnings. */
  readonly lenient?: boolean | undefined;
};

/**
 * Reads and checks a configuration file.
 *
 * @throws StartError when the file can't be read, ConfigError when it can't be used.
 */
export async function loadFile(file: string, options: LoadFileOptions): Promise<Loaded> {
  const base = await fromFile(file, options).read();
  const { kinds, lenient = false } = options;
  const loaded = loadConfig(base.text, { ...base, kinds, lenient });
  refuseIdle(loaded.config, file);
  return loaded;
}
