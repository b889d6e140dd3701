/** The commands that run a balancer, and the options that they share. */
import { type Command, Option } from "commander";
import { StartError } from "../lib/errors.ts";
import { isStandardInput } from "../lib/source/read_file.ts";
import type { Source } from "../lib/source/source.ts";
import { demo } from "./demo.ts";
import type { Output } from "./output.ts";
import type { Parts } from "./parts.ts";
import { proxy, type ProxyOptions } from "./proxy.ts";
import { run, type RunOptions } from "./run.ts";
import {
  type ConsulSourceOptions,
  fromConsul,
  fromFile,
  fromUrl,
  type RemoteSourceOptions,
  type SourceOptions,
} from "./sources.ts";

/** Options that every command takes which runs a configuration. */
export type StartOptions = SourceOptions & {
  readonly pidfile?: string;
  readonly takeover?: string;
  readonly lenient?: boolean;
  readonly watch?: boolean;
  /** Paths with commas between them. */
  readonly allowExec?: string;
  readonly keepPermissions?: boolean;
};

/** What the commands work with. */
export type Surroundings = {
  readonly program: Command;
  readonly parts: Parts;
  readonly output: Output;
  /** Takes the exit code. */
  done(code: number): void;
};

/** Adds the commands that run a balancer. */
export function startCommands({ program, parts, output, done }: Surroundings): void {
  const starter = { kinds: parts.kinds, output };
  withWatch(withStartOptions(program.command("from-file <file>")))
    .description("run with a configuration file (TOML, or JSON by its name or -f json)")
    .addHelpText("after", "\nExample:\n  twixt from-file twixt.toml -p /run/twixt.pid --watch")
    .action(async (file: string, options: StartOptions) =>
      done(await runFile(parts, file, merged(program, options), output))
    );
  withRemoteOptions(withStartOptions(program.command("from-url <url>")))
    .description("run with a configuration from a web server, and follow its changes")
    .option("--interval <duration>", "time between two looks for a change; 0: none", "30s")
    .addHelpText("after", URL_EXAMPLE)
    .action(async (
      url: string,
      given: StartOptions & RemoteSourceOptions & { readonly interval: string },
    ) => {
      const options = merged(program, given);
      done(await runSource(parts, fromUrl(url, options, starter), options, output));
    });
  withRemoteOptions(withStartOptions(program.command("from-consul <host:port>")))
    .description("run with the value of a key of Consul, and follow its changes")
    .option("-k, --key <key>", "the key", "gobetween")
    .addOption(new Option("-s, --scheme <scheme>").choices(["http", "https"]).default("http"))
    .option("--dc <datacenter>", "the datacenter, if not the agent's own")
    .addHelpText("after", CONSUL_EXAMPLE)
    .action(async (address: string, given: StartOptions & ConsulSourceOptions) => {
      const options = merged(program, given);
      done(await runSource(parts, fromConsul(address, options, starter), options, output));
    });
  program.command("demo").option("-p, --pidfile <file>", "write the process id there")
    .description("run three small backends and a balancer in front of them")
    .addHelpText("after", "\nExample:\n  twixt demo")
    .action(async (options: StartOptions) =>
      done(await runDemo(parts, merged(program, options), output))
    );
  withPlaceOptions(program.command("proxy <bind> <backends...>"))
    .description("balance without any file")
    .option("-b, --balance <strategy>", "how to choose a backend", "weight")
    .option("-a, --api <host:port>", "serve the management API there")
    .option("-w, --workers <n>", "data-plane workers (default: one a core)", Number)
    .option("--no-check", "don't check the backends")
    .addHelpText("after", PROXY_EXAMPLE)
    .action(async (bind: string, backends: string[], options: ProxyOptions & StartOptions) =>
      done(await proxy(parts, bind, backends, options, placeOf(merged(program, options)), output))
    );
}

/** Runs the demo, which never takes over from anybody: a takeover that names no configuration has forgotten it. */
export async function runDemo(
  parts: Parts,
  options: StartOptions,
  output: Output,
): Promise<number> {
  if (options.takeover !== undefined) {
    throw new StartError("--takeover needs a configuration", "name it: -c FILE", true);
  }
  return await demo(parts, placeOf(options), output);
}

const PROXY_EXAMPLE = `
Example:
  twixt proxy :3000 10.0.0.1:80 "10.0.0.2:80 weight=2" --balance leastconn --api 127.0.0.1:8888`;

const URL_EXAMPLE = `
A login in the URL is used for basic authentication, and shown nowhere.

Example:
  twixt from-url https://config.internal/twixt.toml --fallback /var/lib/twixt/last.toml`;

const CONSUL_EXAMPLE = `
CONSUL_HTTP_TOKEN, or the file that CONSUL_HTTP_TOKEN_FILE names, is the token for its ACLs.

Example:
  twixt from-consul 127.0.0.1:8500 -k lb/twixt.toml --fallback /var/lib/twixt/last.toml`;

/** What every command takes that reads a configuration. */
export function withSourceOptions(command: Command): Command {
  return command
    .addOption(
      new Option("-f, --format <format>", "instead of going by the name").choices(["toml", "json"]),
    )
    .option("-e, --use-config-env-vars", "put variables of the environment in place of ${NAME}")
    .option("--lenient", "unknown keys are warnings, not errors");
}

/** What every command takes that runs a configuration. */
export function withStartOptions(command: Command): Command {
  return withPlaceOptions(withSourceOptions(command))
    .option("--allow-exec <paths>", "programs that servers added by the API may run, with commas")
    .option("--keep-permissions", "stay able to run programs, for a reload that brings the first");
}

/** What a command takes that runs a configuration file. */
export function withWatch(command: Command): Command {
  return command.option("--watch", "reload when the file, or one that it includes, has changed");
}

function withRemoteOptions(command: Command): Command {
  return command
    .option("--fallback <file>", "keep the last good configuration there, for a start without")
    .option("--ca <file>", "trust this authority, too (PEM)");
}

function withPlaceOptions(command: Command): Command {
  return command
    .option("-p, --pidfile <file>", "write the process id there")
    .option("--takeover <pidfile>", "replace the running twixt of this pid file, losing nobody");
}

/** The pid file, which names the process that is taken over where one is. @throws StartError */
export function placeOf(
  { pidfile, takeover }: StartOptions,
): Pick<RunOptions, "pidFile" | "takeover"> {
  if (takeover !== undefined && pidfile !== undefined && takeover !== pidfile) {
    throw new StartError(
      `--takeover ${takeover} and -p ${pidfile} name two pid files`,
      "leave out -p: the pid file passes over",
      true,
    );
  }
  return { pidFile: takeover ?? pidfile, takeover: takeover !== undefined };
}

/** gobetween takes the flags before and after the command alike. */
export function merged<T extends SourceOptions>(program: Command, options: T): T {
  return { ...program.opts<T>(), ...options };
}

/** Runs a configuration file. Returns the exit code. @throws ConfigError, StartError */
export function runFile(
  parts: Parts,
  file: string,
  options: StartOptions,
  output: Output,
): Promise<number> {
  if (options.watch && isStandardInput(file)) {
    throw new StartError(
      "standard input can't be watched: it can be read once",
      "name a file, or leave out --watch",
      true,
    );
  }
  return runSource(parts, fromFile(file, options), { watch: false, ...options }, output);
}

function runSource(
  parts: Parts,
  source: Source,
  options: StartOptions,
  output: Output,
): Promise<number> {
  const { watch = true, lenient, keepPermissions } = options;
  const allowExec = pathsOf(options.allowExec);
  const place = placeOf(options);
  return run(parts, { source, watch, lenient, allowExec, keepPermissions, ...place }, output);
}

/** The programs that `--allow-exec` names. @throws StartError */
export function pathsOf(written: string | undefined): string[] {
  const paths = (written ?? "").split(",").map((path) => path.trim()).filter((path) => path !== "");
  const wrong = written === undefined || paths.length > 0
    ? paths.find((path) => !path.startsWith("/"))
    : written;
  if (wrong === undefined) return paths;
  throw new StartError(
    `--allow-exec "${wrong}" is not a path from the root`,
    "name programs as a server's exec_command does: --allow-exec /usr/local/bin/backends",
    true,
  );
}
