import { parseDuration } from "../lib/duration.ts";
import { messageOf, StartError } from "../lib/errors.ts";
import { runs } from "../lib/host/pid_file.ts";
import type { Output } from "./output.ts";
import { conflictTable, type ShownConflict } from "./overlay.ts";
import { askApi, type RemoteOptions } from "./remote.ts";
import { printTable } from "./table.ts";

type Names = Readonly<Record<"added" | "changed" | "removed", readonly string[]>>;

/** `twixt reload`: has the running Twixt read its configuration anew. Returns the exit code. */
export async function reloadCommand(remote: RemoteOptions, output: Output): Promise<number> {
  const { changes, servers, pools, conflicts } = await askApi(remote, "POST", "/reload") as {
    changes: string;
    servers: Names;
    pools: Names;
    conflicts: readonly ShownConflict[];
  };
  output.out(`reloaded: ${changes}\n`);
  const rows = Object.entries({ servers, pools }).flatMap(([what, names]) =>
    (["added", "changed", "removed"] as const)
      .filter((how) => names[how].length > 0)
      .map((how) => [`  ${what} ${how}`, names[how].join(", ")])
  );
  if (rows.length > 0) output.out(printTable(rows));
  if (conflicts.length > 0) output.out(`\n${conflictTable(conflicts)}`);
  return 0;
}

/** What `twixt drain` is asked. */
export type DrainOptions = RemoteOptions & {
  /** A duration after which the last sessions are cut. */
  readonly for?: string | undefined;
  /** Takes new sessions again. */
  readonly undo?: boolean | undefined;
};

/** `twixt drain POOL HOST:PORT`: no new sessions for a backend, or as usual again. Returns the exit code. */
export async function drainCommand(
  pool: string,
  backend: string,
  options: DrainOptions,
  output: Output,
): Promise<number> {
  const path = `/pools/${encodeURIComponent(pool)}/backends/${encodeURIComponent(backend)}`;
  const drain = options.undo ? false : options.for ?? true;
  if (typeof drain === "string" && parseDuration(drain) === undefined) {
    throw new StartError(`--for ${drain} is not a duration`, `for example "30s" or "1h"`, true);
  }
  const { stats } = await askApi(options, "PATCH", path, { drain }) as {
    stats: { active_connections: number };
  };
  const open = `${stats.active_connections} sessions open`;
  output.out(
    `${backend} in ${pool}: ${options.undo ? "takes new sessions again" : `draining, ${open}`}\n`,
  );
  return 0;
}

const LOOK_MS = 200;

/** `twixt stop -p FILE`: ends the running Twixt as SIGTERM does, and waits for it. Returns the exit code. */
export async function stopCommand(pidFile: string, output: Output): Promise<number> {
  const pid = await pidIn(pidFile);
  if (!runs(pid)) {
    throw new StartError(
      `process ${pid} of ${pidFile} isn't there any more, or isn't twixt`,
      "is this the pid file of the one that runs?",
    );
  }
  if (!await kill(pid, "TERM")) {
    throw new StartError(`process ${pid} isn't yours to stop`, "be the user that started it");
  }
  output.out(`stopping ${pid}: open sessions may finish\n`);
  while (runs(pid)) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  output.out("stopped\n");
  return 0;
}

async function pidIn(path: string): Promise<number> {
  const hint = "name the pid file that Twixt was started with";
  const pid = await readPidOf(path, hint);
  if (pid !== undefined && pid > 1) return pid;
  throw new StartError(`${path} holds no process id`, hint, true);
}

async function readPidOf(path: string, hint: string): Promise<number | undefined> {
  try {
    const { isFile } = await Deno.stat(path);
    const text = isFile ? await Deno.readTextFile(path) : "";
    return /^\d{1,10}\s*$/.test(text) ? Number(text) : undefined;
  } catch (error) {
    throw new StartError(`${path} can't be read: ${messageOf(error)}`, hint, true);
  }
}

async function kill(pid: number, signal: string): Promise<boolean> {
  const args = ["-c", 'kill -"$0" "$1"', signal, String(pid)];
  const command = new Deno.Command("sh", { args, stdin: "null", stderr: "null" });
  return (await command.output()).success;
}
