/** The configuration that shall be in force: the base with what the API has changed laid over it. Pure. */
import { commandsOf, strangersAmong } from "./commands.ts";
import { quote } from "./config/issues.ts";
import { type Kinds, loadConfig, type Loaded } from "./config/load.ts";
import { ConfigError, ForbiddenError, type Problem } from "./errors.ts";
import { guardedOf } from "./guarded.ts";
import type { Config } from "./model.ts";
import { amend, type Overlay, type Sections, sectionsOf } from "./overlay.ts";
import type { BaseText } from "./source/source.ts";

/** How both are read. */
export type EffectiveOptions = {
  readonly kinds: Kinds;
  readonly lenient: boolean;
  /** Programs that the overlay may run with any arguments; all its other commands must be the base's, too. */
  readonly allowExec?: readonly string[] | undefined;
  /** Where the overlay stands, for messages. */
  readonly overlayFile: string;
  /** What of the overlay stands there already; all of it when left out. */
  readonly kept?: Overlay | undefined;
};

/** A configuration, and what the base alone has. */
export type Effective = Loaded & {
  /** The base's own servers. */
  readonly inBase: Sections;
};

/**
 * Reads the base and lays the overlay over it.
 * @throws ConfigError; what is wrong with a server that the API has added is said to stand in the overlay's file.
 * ForbiddenError when one of these would run a program that nobody has allowed.
 */
export function effective(base: BaseText, overlay: Overlay, options: EffectiveOptions): Effective {
  let inBase: Sections = {};
  try {
    const loaded = loadConfig(base.text, {
      ...base,
      kinds: options.kinds,
      lenient: options.lenient,
      amend: (tree) => {
        inBase = sectionsOf(tree);
        return amend(tree, overlay);
      },
    });
    refuseIdle(loaded.config, base.file);
    refuseStrangers(loaded.config, base, options);
    const warnings = moved(loaded.warnings, overlay, options);
    return { ...loaded, warnings, inBase };
  } catch (error) {
    throw error instanceof ConfigError ? blamed(error, overlay, options) : error;
  }
}

/** The base without the overlay. @throws ConfigError */
export function baseAlone(base: BaseText, options: EffectiveOptions): Config {
  return loadConfig(base.text, { ...base, kinds: options.kinds, lenient: options.lenient }).config;
}

/** Whoever may change servers through the API mustn't get to run programs, or to see files, by that. */
function refuseStrangers(config: Config, base: BaseText, options: EffectiveOptions): void {
  const { kinds, allowExec = [] } = options;
  const commands = commandsOf(config, kinds);
  const guarded = guardedOf(config, kinds);
  if (commands.length + guarded.length === 0) return;
  const alone = baseAlone(base, options);
  const [stranger] = strangersAmong(commands, commandsOf(alone, kinds), allowExec);
  if (stranger !== undefined) {
    throw new ForbiddenError(
      `${quote(stranger.argv[0])} with these arguments is no command of the configuration file's ${
        stranger.sort === "check" ? "checks" : "discoveries"
      }`,
      "servers that the API adds may run only these, and programs that --allow-exec PATH,… names",
    );
  }
  const known = guardedOf(alone, kinds);
  const unknown = guarded.find((one) => !known.includes(one));
  if (unknown === undefined) return;
  throw new ForbiddenError(
    `${quote(unknown)} is named nowhere in the configuration file`,
    "servers that the API adds may use only files, sockets and places for tokens that stand there",
  );
}

function blamed(error: ConfigError, overlay: Overlay, options: EffectiveOptions): ConfigError {
  const hint = "the API has added this server: give it back with twixt overlay forget, " +
    `or mend ${options.overlayFile} while Twixt doesn't run`;
  return new ConfigError(moved(error.problems, overlay, options, hint), error.warnings);
}

/** What is said of a server that the API has added, or is adding now, isn't about a line of the base. */
function moved(
  problems: readonly Problem[],
  overlay: Overlay,
  { overlayFile: file, kept = overlay }: EffectiveOptions,
  hint?: string,
): Problem[] {
  return problems.map((problem) => {
    const [section, name = ""] = problem.path;
    if (section !== "servers" || !Object.hasOwn(overlay.servers, name)) return problem;
    const { path, message } = problem;
    return overlay.servers[name] === kept.servers[name]
      ? { path, message, hint: hint ?? problem.hint, file }
      : { path, message, hint: problem.hint };
  });
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
