/** The programs that a configuration runs, and which of them whoever runs this process has allowed. Pure. */
import type { Kinds } from "./config/load.ts";
import type { Argv } from "./host/program.ts";
import type { Config } from "./model.ts";

/** Every command of the discoveries and checks of a configuration, each once. */
export function commandsOf(config: Config, kinds: Kinds): Argv[] {
  const found = new Map<string, Argv>();
  for (const { discoveries, check } of config.pools.values()) {
    const argvs = discoveries.flatMap(({ kind, options }) =>
      kinds.discoveries.get(kind).commands?.(options) ?? []
    );
    if (check !== undefined) {
      argvs.push(...kinds.checks.get(check.kind).commands?.(check.options) ?? []);
    }
    for (const argv of argvs) found.set(JSON.stringify(argv), argv);
  }
  return [...found.values()];
}

/**
 * Commands that are neither among `known`, to the letter, nor run a program that `allowed` names. The same program with
 * other arguments is another command.
 */
export function strangersAmong(
  commands: readonly Argv[],
  known: readonly Argv[],
  allowed: readonly string[],
): Argv[] {
  const texts = new Set(known.map((argv) => JSON.stringify(argv)));
  return commands.filter((argv) =>
    !texts.has(JSON.stringify(argv)) && !allowed.includes(argv[0] ?? "")
  );
}
