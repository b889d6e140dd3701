import { messageOf, StartError } from "../errors.ts";

/** A pid file that this process has written. Disposing removes it, if it is still ours. */
export type PidFile = Disposable;

/**
 * Writes the pid file, over one that a dead process left behind.
 *
 * @param predecessor The running process whose file this is and who is being taken over.
 * @throws StartError when another process runs, or the file can't be written. The caller disposes it.
 */
export function writePidFile(path: string, predecessor?: number): PidFile {
  const other = readPid(path);
  if (other === "something else") {
    throw new StartError(
      `pid file ${path} holds something else than a process id`,
      "name another file with -p: this one would be overwritten",
    );
  }
  const known = other === undefined || other === Deno.pid || other === predecessor;
  if (!known && runs(other)) {
    throw new StartError(
      `pid file ${path}: process ${other} is running`,
      "stop it first, or name another pid file with -p; if it isn't twixt, remove the file",
    );
  }
  try {
    Deno.writeTextFileSync(path, `${Deno.pid}\n`, { mode: 0o644 });
  } catch (error) {
    throw unwritable(path, error);
  }
  return { [Symbol.dispose]: () => remove(path) };
}

/** Finds out whether a pid file that is there could be written, without doing so. @throws StartError */
export function probePidFile(path: string): void {
  try {
    Deno.openSync(path, { append: true }).close();
  } catch (error) {
    throw unwritable(path, error);
  }
}

function unwritable(path: string, error: unknown): StartError {
  return new StartError(
    `pid file ${path} can't be written: ${messageOf(error)}`,
    "choose a path in a folder that exists and that this user may write to",
  );
}

const SAME_PROGRAM = `
kill -0 "$0" 2>&1 | grep -qi "no such process" && exit 1
grep -q "^State:[[:space:]]*Z" "/proc/$0/status" 2>/dev/null && exit 1
its=$(readlink "/proc/$0/exe") || exit 0
its=\${its% (deleted)}
own=$(readlink "/proc/$PPID/exe") || exit 0
[ "\${its##*/}" = "\${own##*/}" ]
`;

/** The process id that a file holds; undefined where it holds nothing or isn't there. */
export function readPid(path: string): number | "something else" | undefined {
  try {
    const text = Deno.readTextFileSync(path).trim();
    if (text === "") return undefined;
    return /^\d{1,10}$/.test(text) ? Number(text) : "something else";
  } catch {
    return undefined; // no file: nobody runs
  }
}

/**
 * Does such a process run, and is it this program? After a crash another one may have got its number, which must
 * not keep us from starting. A program is taken for this one when its file has the same name.
 */
export function runs(pid: number): boolean {
  try {
    const args = ["-c", SAME_PROGRAM, String(pid)];
    const command = new Deno.Command("sh", { args, stdin: "null", stderr: "null" });
    return command.outputSync().success;
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
