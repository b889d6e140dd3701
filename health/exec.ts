import { z } from "zod";
import type { Argv } from "../lib/host/program.ts";
import type { CheckKind, CheckResult, CheckTarget } from "../lib/kinds.ts";
import type { Ran } from "../lib/host/program.ts";
import { messageOf } from "../lib/errors.ts";
import { quoted } from "./_failure.ts";

/** The keys of `exec`. */
export type ExecOptions = {
  readonly exec_command: string | readonly string[];
  readonly exec_expected_positive_output: string;
  readonly exec_expected_negative_output: string;
};

/** Asks a program of the operator's. */
export const exec: CheckKind<ExecOptions> = {
  name: "exec",
  summary: "Runs a program; what it prints, or its exit code, tells whether the backend works.",
  example: 'exec_command = ["/usr/local/bin/is-alive", "$host", "$port"]',
  shape: {
    exec_command: z.union([z.string().min(1), z.array(z.string()).min(1)], {
      error: ({ input }) =>
        input === undefined
          ? undefined
          : "is neither a program nor a list of one and its arguments",
    }).describe(
      "A program's path, run with two arguments: host and port. Or a list of a program and its arguments, in which " +
        "`$host` and `$port` are replaced. No shell.",
    ),
    exec_expected_positive_output: z.string().default("").describe(
      "Output that passes, compared without one line break at the end; any other fails. Where both outputs are empty, exit code 0 passes.",
    ),
    exec_expected_negative_output: z.string().default("").describe(
      "Output that fails; any other passes. Where both outputs are given, one that is neither leaves the backend what it is.",
    ),
  },
  commands: ({ exec_command }) => [
    typeof exec_command === "string" ? [exec_command, "$host", "$port"] : exec_command,
  ],
  async check(target, options, { run, signal }) {
    try {
      return verdict(await run(argvFor(target, options.exec_command), signal), options);
    } catch (error) { // the backend isn't to blame for a program that can't be started
      return { passed: false, text: messageOf(error), ours: !signal.aborted };
    }
  },
};

/** The program and its arguments for one backend. */
export function argvFor(target: CheckTarget, command: ExecOptions["exec_command"]): Argv {
  const host = target.elsewhere ? target.address : target.host;
  const port = String(target.port);
  if (typeof command === "string") return [command, host, port];
  const [program = "", ...args] = command;
  const known: Readonly<Record<string, string>> = { $host: host, $port: port };
  return [program, ...args.map((arg) => arg.replace(/\$(host|port)\b/g, (name) => known[name]!))];
}

/** What a program's end says of the backend. */
export function verdict(ran: Ran, options: ExecOptions): CheckResult {
  const { code, ended, stdout, stderr } = ran;
  if (ended !== undefined) return { passed: false, text: `the program was ended: ${ended}` };
  if (code !== 0) {
    const said = (stdout.trim() || stderr.trim()).split("\n")[0]!;
    return { passed: false, text: `exit code ${code}${said === "" ? "" : `: ${quoted(said)}`}` };
  }
  const positive = withoutEnd(options.exec_expected_positive_output);
  const negative = withoutEnd(options.exec_expected_negative_output);
  if (positive === "" && negative === "") return { passed: true, text: "exit code 0" };
  const said = withoutEnd(stdout);
  const text = `it said ${quoted(said)}`;
  if (said === positive) return { passed: true, text };
  if (said === negative) return { passed: false, text };
  if (positive === "" || negative === "") return { passed: positive === "", text };
  return { passed: false, text: `${text}, neither yes nor no`, unclear: true };
}

function withoutEnd(output: string): string {
  return output.replace(/\r?\n$/, "");
}
