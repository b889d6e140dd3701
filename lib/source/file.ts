import { includePatterns } from "../config/include.ts";
import type { Clock } from "../clock.ts";
import { LOOK_MS, looksOf } from "../looks.ts";
import { findIncluded, withIncluded } from "./include.ts";
import { isStandardInput, readConfigFile } from "./read_file.ts";
import { type BaseText, isSame, type Source, type SourceEvents } from "./source.ts";
import { Teller } from "./teller.ts";
import { asWritten, type Prepare } from "./variables.ts";

/** How a configuration file is read and watched. */
export type FileOptions = {
  /** By the file's extension when left out. */
  readonly format?: "toml" | "json" | undefined;
  /** What is done to its text, and to each text that it includes, before anything else. */
  readonly prepare?: Prepare;
};

/** A configuration file, with the files that it includes; `-` is standard input, which isn't watched. */
export function fileSource(path: string, clock: Clock, options: FileOptions = {}): Source {
  const file = new ConfigFile(path, clock, options);
  return {
    about: { kind: "file", path },
    read: () => file.read(),
    ...isStandardInput(path) ? {} : { watch: (events, signal) => file.watch(events, signal) },
  };
}

class ConfigFile {
  /** What was read or told last. */
  #last: BaseText | undefined;
  /** How the files looked just before. */
  #seen: string | undefined;
  #patterns: readonly string[] = [];

  constructor(readonly path: string, readonly clock: Clock, readonly options: FileOptions) {}

  async read(): Promise<BaseText> {
    const { prepare = asWritten, format } = this.options;
    this.#seen = undefined;
    const main = await looksOf(this.path); // each before it is read: what changes meanwhile is read again
    const text = prepare(await readConfigFile(this.path, format));
    this.#patterns = includePatterns(text) ?? [];
    const rest = await this.#included();
    const base = await withIncluded(text, prepare);
    this.#seen = main + rest;
    return this.#last = base;
  }

  /**
   * Looks again and again, which works for every way of replacing a file: in place, by a rename, by a symbolic link
   * of its path that leads elsewhere. What has changed is read when it has looked the same twice: nobody writes then.
   */
  async watch(events: SourceEvents, signal: AbortSignal): Promise<void> {
    const teller = new Teller(events);
    let before: string | undefined;
    for (;;) {
      await this.clock.sleep(LOOK_MS, signal);
      if (signal.aborted) return;
      const now = await looksOf(this.path) + await this.#included();
      if (now !== this.#seen && now === before) await this.#tell(teller);
      before = now;
    }
  }

  async #tell(teller: Teller): Promise<void> {
    const last = this.#last;
    try {
      const base = await this.read();
      teller.answered(isSame(last, base) ? undefined : base);
    } catch (error) {
      teller.failed(error); // and it is read again at the next look
    }
  }

  /** How the files that it includes look. */
  async #included(): Promise<string> {
    if (this.#patterns.length === 0) return "";
    const { files } = await findIncluded(this.#patterns, this.path);
    return (await Promise.all(files.map(looksOf))).join("");
  }
}
