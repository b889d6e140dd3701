/** The permission to run programs: kept only where something needs it, and asked for before something new does. */
import { commandsOf } from "../lib/commands.ts";
import type { Kinds } from "../lib/config/load.ts";
import { StartError } from "../lib/errors.ts";
import type { Config } from "../lib/model.ts";

/** What the command line says about it. */
export type RunPermissionOptions = {
  /** Programs that servers which the API adds may run. */
  readonly allowExec?: readonly string[] | undefined;
  readonly keepPermissions?: boolean | undefined;
};

/** Must this process be able to run programs from now on? Pure. */
export function needsRun(config: Config, kinds: Kinds, options: RunPermissionOptions): boolean {
  const { allowExec = [], keepPermissions = false } = options;
  return keepPermissions || allowExec.length > 0 || programsOf(config, kinds).length > 0;
}

/** The programs that a configuration needs: of its commands, and nftables' where the kernel forwards. Pure. */
export function programsOf(config: Config, kinds: Kinds): string[] {
  const forwards = [...config.servers.values()].some(({ forward }) => forward !== undefined);
  const programs = commandsOf(config, kinds).map(({ argv: [program = ""] }) => program);
  return forwards ? [...programs, "nft"] : programs;
}

/** Gives the permission up, for good, where nothing needs it: whoever gets hold of this process can't run programs then. */
export function giveUpRun(config: Config, kinds: Kinds, options: RunPermissionOptions): void {
  if (!needsRun(config, kinds, options)) Deno.permissions.revokeSync({ name: "run" });
}

/** Refuses a configuration with programs that this process can't run any more. @throws StartError */
export function refuseCommands(
  config: Config,
  kinds: Kinds,
  mayRun: (program: string) => boolean = isGranted,
): void {
  const refused = programsOf(config, kinds).find((program) => !mayRun(program));
  if (refused === undefined) return;
  throw new StartError(
    `${refused} can't be run: this process gave up running programs at its start`,
    "it needs a restart, or --takeover; --keep-permissions keeps it able to",
  );
}

function isGranted(program: string): boolean {
  return Deno.permissions.querySync({ name: "run", command: program }).state === "granted";
}
