/** The programs that a configuration runs, and which of them whoever runs this process has allowed. Pure. */
import type { Kinds } from "./config/load.ts";
import type { Argv } from "./host/program.ts";
import type { Config } from "./model.ts";

/** A command, and what runs it. */
export type Command = { readonly sort: "discovery" | "check"; readonly argv: Argv };

/** Every command of the discoveries and checks of a configuration, each once. */
export function commandsOf(config: Config, kinds: Kinds): Command[] {
  const found = new Map<string, Command>();
  const add = (sort: Command["sort"], argvs: readonly Argv[] = []) => {
    for (const argv of argvs) found.set(JSON.stringify([sort, argv]), { sort, argv });
  };
  for (const { discoveries, check } of config.pools.values()) {
    for (const { kind, options } of discoveries) {
      add("discovery", kinds.discoveries.get(kind).commands?.(options));
    }
    if (check !== undefined) {
      add("check", kinds.checks.get(check.kind).commands?.(check.options));
    }
  }
  return [...found.values()];
}

/**
 * Commands that are neither among `known`, to the letter, nor run a program that `allowed` names. The same program with
 * other arguments is another command, and so is that of a check in a discovery.
 */
export function strangersAmong(
  commands: readonly Command[],
  known: readonly Command[],
  allowed: readonly string[],
): Command[] {
  const text = ({ sort, argv }: Command) => JSON.stringify([sort, argv]);
  const texts = new Set(known.map(text));
  return commands.filter((command) =>
    !texts.has(text(command)) && !allowed.includes(command.argv[0] ?? "")
  );
}
