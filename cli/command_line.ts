import { Argument, Command, CommanderError, Option } from "commander";
import { ConfigError, messageOf, printProblem, StartError } from "../lib/errors.ts";
import { oneOf } from "../lib/config/suggest.ts";
import { argumentsOf } from "./arguments.ts";
import { checkCommand } from "./check.ts";
import { initCommand } from "./init.ts";
import { drainCommand, type DrainOptions, reloadCommand, stopCommand } from "./operate.ts";
import type { Output } from "./output.ts";
import { forgetCommand, overlayCommand, type OverlayOptions } from "./overlay.ts";
import type { Parts } from "./parts.ts";
import type { RemoteOptions } from "./remote.ts";
import {
  merged,
  runDemo,
  runFile,
  startCommands,
  type StartOptions,
  withSourceOptions,
  withStartOptions,
  withWatch,
} from "./start.ts";
import { statusCommand } from "./status.ts";

/**
 * Does what the command line says. Returns the exit code: 0 done, 1 a failure while running, 2 wrong usage or
 * configuration, 70 a worker that hung.
 */
export async function runCommandLine(
  args: readonly string[],
  parts: Parts,
  output: Output,
): Promise<number> {
  let code = 0;
  const program = commands(parts, output, (result) => code = result);
  try {
    const given = argumentsOf(
      args,
      Deno.env.get("GOBETWEEN"),
      (text) => output.err(`${text}\n`),
    );
    await program.parseAsync([...given], { from: "user" });
    return code;
  } catch (error) {
    return failed(error, output);
  }
}

/** Tells what went wrong and what to do; never a stack trace. */
function failed(error: unknown, output: Output): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof ConfigError) {
    for (const warning of error.warnings) output.err(`warning: ${printProblem(warning)}\n`);
    for (const problem of error.problems) output.err(`error: ${printProblem(problem)}\n`);
    return 2;
  }
  if (error instanceof StartError) {
    output.err(`error: ${error.message}\n       ${error.hint}\n`);
    return error.usage ? 2 : 1;
  }
  output.err(`error: ${messageOf(error)}\n       this is a defect of twixt; please report it\n`);
  return 1;
}

function commands(parts: Parts, output: Output, done: (code: number) => void): Command {
  const program = new Command("twixt")
    .description("A layer-4 load balancer. Without a configuration it runs a demo.")
    .version(parts.version, "-v, --version", "print the version")
    .enablePositionalOptions() // -p of "stop" is its own
    .exitOverride()
    .configureOutput({ writeOut: output.out, writeErr: output.err })
    .showHelpAfterError("(add --help for what there is)")
    .usage("[options] [command]")
    .argument("[word]") // what isn't a command arrives here
    .option("-c, --config <file>", "run with this configuration")
    .addHelpText("after", EXAMPLES);
  withWatch(withStartOptions(program)).action(async (
    word: string | undefined,
    options: StartOptions & { config?: string },
  ) => {
    if (word !== undefined) throw unknownCommand(word, program);
    done(
      options.config === undefined
        ? await runDemo(parts, options, output)
        : await runFile(parts, options.config, options, output),
    );
  });
  startCommands({ program, parts, output, done });
  withSourceOptions(program.command("check <file>"))
    .description("say everything that is wrong with a configuration file")
    .addHelpText("after", "\nExample:\n  twixt check twixt.toml")
    .action(async (file: string, options: StartOptions) =>
      done(await checkCommand(file, { ...merged(program, options), kinds: parts.kinds }, output))
    );
  program.command("init [file]")
    .description("print a commented configuration to start from, or write it to a file")
    .addHelpText("after", "\nExample:\n  twixt init twixt.toml && twixt check twixt.toml")
    .action(async (file: string | undefined) => done(await initCommand(file, output)));
  operating(program, output, done);
  program.command("version").description("print the version")
    .action(() => output.out(`${parts.version}\n`));
  for (const command of program.commands) command.copyInheritedSettings(program);
  return program;
}

/** The commands that talk to a running Twixt. */
function operating(program: Command, output: Output, done: (code: number) => void): void {
  withRemoteOptions(program.command("status"))
    .description("show servers and backends of a running Twixt")
    .addHelpText("after", "\nExample:\n  twixt status --api 127.0.0.1:8888")
    .action(async (options: RemoteOptions) => done(await statusCommand(options, output)));
  withRemoteOptions(program.command("reload"))
    .description("have a running Twixt read its configuration anew")
    .addHelpText("after", "\nExample:\n  twixt reload --login admin:secret")
    .action(async (options: RemoteOptions) => done(await reloadCommand(options, output)));
  withRemoteOptions(program.command("drain <pool> <backend>"))
    .description("give a backend no new sessions; those that are open may finish")
    .option("--for <duration>", "cut what is left after this time")
    .addOption(new Option("--undo", "give it new sessions again").conflicts("for"))
    .addHelpText("after", "\nExample:\n  twixt drain web 10.0.0.1:80 --for 30s")
    .action(async (pool: string, backend: string, options: DrainOptions) =>
      done(await drainCommand(pool, backend, options, output))
    );
  withRemoteOptions(program.command("overlay"))
    .description("show what was changed through the API, or give it back to the configuration")
    .addArgument(new Argument("[action]", "forget: give back").choices(["forget"]))
    .argument("[paths...]", "what, as shown: servers/NAME, pools/POOL/backends/HOST:PORT/weight")
    .option("--all", "forget everything")
    .addHelpText("after", "\nExample:\n  twixt overlay\n  twixt overlay forget servers/web")
    .action(async (action: string | undefined, paths: string[], options: OverlayOptions) =>
      done(
        await (action === undefined
          ? overlayCommand(options, output)
          : forgetCommand(paths, options, output)),
      )
    );
  program.command("stop")
    .description("end a running Twixt when its sessions have ended, and wait for it")
    .requiredOption("-p, --pidfile <file>", "the pid file that it was started with")
    .addHelpText("after", "\nExample:\n  twixt stop -p /run/twixt.pid")
    .action(async ({ pidfile }: { pidfile: string }) => done(await stopCommand(pidfile, output)));
}

function withRemoteOptions(command: Command): Command {
  return command
    .option("-a, --api <host:port>", "where its API listens", "127.0.0.1:8888")
    .option("-l, --login <login:password>", "for api.basic_auth; or the variable TWIXT_LOGIN");
}

function unknownCommand(word: string, program: Command): StartError {
  const names = program.commands.map((command) => command.name());
  return new StartError(
    `"${word}" is not a command`,
    `${oneOf(word, names)}; see twixt --help`,
    true,
  );
}

const EXAMPLES = `
Examples:
  twixt                                   the demo: http://127.0.0.1:3000
  twixt proxy :3000 10.0.0.1:80 10.0.0.2:80
  twixt init twixt.toml                   a configuration to start from
  twixt check twixt.toml                  what is wrong with it
  twixt -c twixt.toml                     run it; kill -HUP reloads, kill stops when all are done`;
