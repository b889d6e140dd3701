import { type Format, type Kinds, loadConfig, type Loaded } from "../lib/config/load.ts";
import { ConfigError } from "../lib/errors.ts";
import { readConfigFile } from "../lib/source/file.ts";

/** How a configuration file is read. */
export type LoadFileOptions = {
  readonly kinds: Kinds;
  /** By the file's extension when left out. */
  readonly format?: Format | undefined;
  /** Makes unknown keys warnings. */
  readonly lenient?: boolean | undefined;
};

/**
 * Reads a configuration file. One with neither a server nor an API has nothing to do: it was most likely
 * caught while somebody was writing it, so it is refused.
 *
 * @throws StartError when the file can't be read, ConfigError when it can't be used.
 */
export async function loadFile(file: string, options: LoadFileOptions): Promise<Loaded> {
  const { text, format } = await readConfigFile(file, options.format);
  const { kinds, lenient = false } = options;
  const loaded = loadConfig(text, { file, format, kinds, lenient });
  if (loaded.config.servers.size > 0 || loaded.config.api !== undefined) return loaded;
  throw new ConfigError([{
    path: [],
    message: "there is nothing to do: no server and no API",
    hint: 'add [servers.NAME] with a bind and a discovery; "twixt init" prints an example',
    file,
  }]);
}
