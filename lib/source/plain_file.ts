/**
 * Reading files that somebody else names. Whoever opens a pipe waits for its other end, and in an executable everything
 * waits with it (Deno 2.6 opens files in its one thread): what isn't a plain file is refused before it is opened.
 */
import { messageOf, StartError } from "../errors.ts";
import { MAX_BYTES, readUpTo, utf8 } from "./limited.ts";

/** Longest wait for a file's bytes, milliseconds: a dead network's file would be waited for for ever. */
const READ_MS = 10_000;

/** A file's text. @throws StartError when it can't be read within 10 s, isn't plain, is larger than 8 MiB or no UTF-8. */
export async function readPlainFile(path: string): Promise<string> {
  const reading = bytesOf(path).catch((error) => Promise.reject(explain(path, error)));
  const seconds = READ_MS / 1_000;
  const late = unusable(path, `gave nothing within ${seconds} s`, "is its disk there?");
  return textOf(path, await inTime(reading, READ_MS, late));
}

/** The same at once, for small files: it blocks while it reads. @throws StartError */
export function readPlainFileSync(path: string): string {
  try {
    refuse(path, Deno.statSync(path));
    return Deno.readTextFileSync(path);
  } catch (error) {
    throw explain(path, error);
  }
}

/** The text of what was read under a name. @throws StartError */
export function textOf(path: string, bytes: Uint8Array | undefined): string {
  if (bytes === undefined) {
    throw unusable(path, "is larger than 8 MiB", "is it the file that you meant?");
  }
  const text = utf8(bytes);
  if (text === undefined) throw unusable(path, "is not UTF-8 text", "save it as UTF-8");
  return text;
}

/** What is promised, or `late` when that takes longer. */
export async function inTime<T>(promised: Promise<T>, ms: number, late: Error): Promise<T> {
  const over = Promise.withResolvers<never>();
  const timer = setTimeout(() => over.reject(late), ms);
  try {
    return await Promise.race([promised, over.promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function bytesOf(path: string): Promise<Uint8Array | undefined> {
  refuse(path, await Deno.stat(path));
  using file = await Deno.open(path, { read: true });
  return await readUpTo(file.readable, MAX_BYTES);
}

function refuse(path: string, { isFile, isDirectory }: Deno.FileInfo): void {
  if (isDirectory) throw unusable(path, "is a directory", "name the file inside it");
  if (!isFile) throw unusable(path, "is no plain file", "write what it gives into a file first");
}

function explain(path: string, error: unknown): StartError {
  if (error instanceof StartError) return error;
  if (error instanceof Deno.errors.NotFound) {
    return unusable(path, "does not exist", "check the path");
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    const hint = "let the user of this process read it";
    return unusable(path, "can't be read: permission denied", hint);
  }
  if (error instanceof Deno.errors.NotCapable) {
    return unusable(path, "can't be read", "start the program with read permission");
  }
  return unusable(path, `can't be read: ${messageOf(error)}`, "check the path");
}

function unusable(path: string, what: string, hint: string): StartError {
  return new StartError(`${path} ${what}`, hint, true);
}
