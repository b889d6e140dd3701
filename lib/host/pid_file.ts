import { messageOf, StartError } from "../errors.ts";

/** A pid file that this process has written. Disposing removes it, if it is still ours. */
export type PidFile = Disposable;

/**
 * Writes the pid file, over one that a dead process left behind.
 * @throws StartError when another process runs, or the file can't be written. The caller disposes it.
 */
export function writePidFile(path: string): PidFile {
  const other = readPid(path);
  if (other !== undefined && other !== Deno.pid && runs(other)) {
    throw new StartError(
      `pid file ${path}: process ${other} is running`,
      "stop it first, or name another pid file with -p",
    );
  }
  try {
    Deno.writeTextFileSync(path, `${Deno.pid}\n`, { mode: 0o644 });
  } catch (error) {
    throw new StartError(
      `pid file ${path} can't be written: ${messageOf(error)}`,
      "choose a path in a folder that exists and that this user may write to",
    );
  }
  return { [Symbol.dispose]: () => remove(path) };
}

function readPid(path: string): number | undefined {
  try {
    const text = Deno.readTextFileSync(path).trim();
    return /^\d+$/.test(text) ? Number(text) : undefined;
  } catch {
    return undefined; // no file: nobody runs
  }
}

/** Is there such a process? Asked by a child: in a container everything may be process 1, as we are. */
function runs(pid: number): boolean {
  try {
    const args = ["-c", 'kill -0 "$0"', String(pid)];
    const command = new Deno.Command("sh", { args, stdin: "null", stderr: "piped" });
    const { success, stderr } = command.outputSync();
    return success || /not permitted/i.test(new TextDecoder().decode(stderr));
  } catch {
    return false; // no shell to ask: take the file over
  }
}

function remove(path: string): void {
  if (readPid(path) !== Deno.pid) return;
  try {
    Deno.removeSync(path);
  } catch {
    // its folder has gone, or isn't writable any more: a stale file is taken over at the next start
  }
}
