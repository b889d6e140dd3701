import type { ConfigText } from "../config/parse.ts";
import { StartError } from "../errors.ts";
import { formatOf, MAX_BYTES, readUpTo, utf8 } from "./limited.ts";

/**
 * Reads a configuration file; `-` is standard input, which can be read once. Without a format, `.json` is JSON and anything else TOML.
 *
 * @throws StartError when the file can't be read, is too large or isn't text.
 */
export async function readConfigFile(
  path: string,
  format?: "toml" | "json",
): Promise<ConfigText> {
  const bytes = isStandardInput(path)
    ? await readUpTo(Deno.stdin.readable, MAX_BYTES)
    : await soon(readBytes(path), path);
  if (bytes === undefined) {
    throw unusable(path, "is larger than 8 MiB", "name a configuration file");
  }
  const text = utf8(bytes);
  if (text === undefined) throw unusable(path, "is not UTF-8 text", "save it as UTF-8");
  return { text, file: path, format: formatOf(format, path) };
}

/** Is this the name of standard input? */
export function isStandardInput(path: string): boolean {
  return path === "-" || path === "/dev/stdin";
}

/** Longest wait for a file's bytes. */
const READ_MS = 10_000;

/** A pipe that nobody writes to, or a dead network's file, would be waited for for ever. @throws StartError */
async function soon<T>(reading: Promise<T>, path: string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const error = unusable(path, `gave nothing within ${READ_MS / 1_000} s`, "is it a plain file?");
  const timer = setTimeout(() => late.reject(error), READ_MS);
  try {
    return await Promise.race([reading, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function readBytes(path: string): Promise<Uint8Array | undefined> {
  try {
    using file = await Deno.open(path, { read: true });
    const { size, isDirectory } = await file.stat();
    if (isDirectory) throw unusable(path, "is a directory", "name the file inside it");
    return size > MAX_BYTES ? undefined : await readUpTo(file.readable, MAX_BYTES);
  } catch (error) {
    throw error instanceof StartError ? error : explain(path, error);
  }
}

function explain(path: string, error: unknown): StartError {
  if (error instanceof Deno.errors.NotFound) {
    return unusable(
      path,
      "does not exist",
      `check the path, or write a first one: twixt init ${path}`,
    );
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return unusable(
      path,
      "can't be read: permission denied",
      "let the user of this process read it",
    );
  }
  if (error instanceof Deno.errors.NotCapable) {
    return unusable(path, "can't be read", "start the program with read permission");
  }
  if (error instanceof Deno.errors.IsADirectory || /is a directory/i.test(String(error))) {
    return unusable(path, "is a directory", "name the file inside it");
  }
  return unusable(path, `can't be read: ${(error as Error).message}`, "check the path");
}

function unusable(path: string, what: string, hint: string): StartError {
  return new StartError(`${path} ${what}`, hint, true);
}
