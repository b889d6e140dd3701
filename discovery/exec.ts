import { z } from "zod";
import { quote } from "../lib/config/issues.ts";
import { DiscoveryError, messageOf, printable } from "../lib/errors.ts";
import { MAX_OUTPUT_BYTES, type Ran } from "../lib/host/program.ts";
import type { DiscoveryKind } from "../lib/kinds.ts";
import type { Backend } from "../lib/model.ts";
import { jsonRowsOf, parseTextLine, rowsOf, type Skip, USUAL_PATHS } from "./_rows.ts";

/** The keys of `exec`. */
export type ExecOptions = {
  readonly exec_command: readonly string[];
  readonly exec_format?: "lines" | "text" | "json";
};

/** Backends from a program's output. A run that fails is a failure of the source: the last list stays in use. */
export const exec: DiscoveryKind<ExecOptions> = {
  name: "exec",
  summary: "Runs a program; what it prints names the backends.",
  example: 'exec_command = ["/usr/local/bin/backends", "web"]',
  shape: {
    exec_command: z.array(z.string(), {
      error: ({ input }) =>
        typeof input === "string"
          ? `${quote(input)} is not a list\nwrite program and arguments apart: ["/bin/ls", "-l"]`
          : undefined,
    }).min(1).superRefine(([program], context) => {
      if (program !== "") return;
      context.addIssue({ code: "custom", message: "names no program\nwrite its path first" });
    }).describe("The program and its arguments; no shell."),
    exec_format: z.enum(["lines", "text", "json"]).default("lines").describe(
      "What it prints: `lines` of `host:port weight=1 …`, `text` with `host port weight priority` on " +
        "each line, or a `json` list of objects.",
    ),
  },
  commands: ({ exec_command }) => [exec_command],
  async find({ exec_command, exec_format = "lines" }, { run, skip, signal }) {
    const ran = await run(exec_command, signal).catch((error) => {
      throw new DiscoveryError(messageOf(error), { cause: error });
    });
    if (ran.code !== 0) throw new DiscoveryError(failureOf(exec_command[0]!, ran));
    return parse(exec_format, ran.stdout, skip);
  },
};

function parse(format: ExecOptions["exec_format"], text: string, skip: Skip): Backend[] {
  if (format === "json") return jsonRowsOf(text, { paths: USUAL_PATHS, nested: true }, skip);
  return format === "text" ? rowsOf(text, skip, parseTextLine) : rowsOf(text, skip);
}

/** How a run ended that can't be used. Pure. */
export function failureOf(program: string, { code, ended, stderr }: Ran): string {
  const how = code !== undefined
    ? `ended with code ${code}`
    : ended?.startsWith("SIG")
    ? `was ended by ${ended}`
    : `said too much: ${ended ?? `more than ${MAX_OUTPUT_BYTES} bytes`}`;
  const [said = ""] = stderr.trimStart().split("\n", 1);
  const shown = printable(said.trimEnd().slice(0, 200));
  return `${program} ${how}${shown === "" ? "" : `: ${shown}`}`;
}
