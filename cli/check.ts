import { parseBackendLine } from "../lib/backend_line.ts";
import type { Kinds } from "../lib/config/load.ts";
import { ConfigError, printable, printProblem, StartError } from "../lib/errors.ts";
import { backendKey, type Config } from "../lib/model.ts";
import { metaOf } from "../lib/config/pool.ts";
import { judgeCertificates, missingFiles } from "./check_files.ts";
import { loadFile, type LoadFileOptions } from "./load_file.ts";
import type { Output } from "./output.ts";

/**
 * `twixt check FILE`: says whether a configuration can be used, and everything that is wrong with it. Starts nothing;
 * certificates are tried out on loopback. Answers the exit code: 0, or 2 when the file can't be read or used.
 */
export async function checkCommand(
  file: string,
  options: LoadFileOptions,
  output: Output,
): Promise<number> {
  try {
    const { config, warnings } = await loadFile(file, options);
    for (const warning of warnings) output.err(`warning: ${printProblem(warning)}\n`);
    const certificates = await judgeCertificates(config, Date.now());
    const odd = [...await missingFiles(config, options.kinds), ...certificates.warnings];
    for (const line of odd) output.err(`warning: ${file}: ${printable(line)}\n`);
    for (const { message, hint } of certificates.errors) {
      output.err(`${file}: ${printable(message)}\n       ${printable(hint)}\n`);
    }
    if (certificates.errors.length > 0) {
      output.err(`${file}: ${counted(certificates.errors.length, "problem")}\n`);
      return 2;
    }
    output.out(`${file}: ok, ${summary(config, options.kinds)}\n`);
    return 0;
  } catch (error) {
    if (error instanceof ConfigError) {
      for (const warning of error.warnings) output.err(`warning: ${printProblem(warning)}\n`);
      for (const problem of error.problems) output.err(`${printProblem(problem)}\n`);
      output.err(`${file}: ${counted(error.problems.length, "problem")}\n`);
    } else if (error instanceof StartError) {
      output.err(`${printable(error.message)}\n       ${printable(error.hint)}\n`);
    } else throw error;
    return 2;
  }
}

function summary({ servers, pools }: Config, kinds: Kinds): string {
  const backends = new Set<string>();
  for (const { kind, options } of [...pools.values()].flatMap((pool) => pool.discoveries)) {
    const { shape } = kinds.discoveries.get(kind);
    for (const key of Object.keys(shape)) {
      if (metaOf(shape[key])["backends"] !== true) continue;
      for (const name of namedIn(options[key])) backends.add(name);
    }
  }
  return [
    counted(servers.size, "server"),
    counted(pools.size, "pool"),
    `${counted(backends.size, "backend")} named`,
  ].join(", ");
}

/** Backends that stand in the configuration itself. */
function namedIn(list: unknown): string[] {
  if (!Array.isArray(list)) return [];
  return list.map((line) => parseBackendLine(String(line)))
    .filter((backend) => typeof backend !== "string").map(backendKey);
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
