import { StartError } from "../errors.ts";
import type { BaseText, Source } from "./source.ts";

/** A configuration of a thousand servers has some 200 KB. */
const MAX_BYTES = 8 * 1024 * 1024;

/** A configuration file. */
export function fileSource(path: string, format?: "toml" | "json"): Source {
  return { about: { kind: "file", path }, read: () => readConfigFile(path, format) };
}

/**
 * Reads a configuration file; `-` is standard input, which can be read once. Without a format, `.json` is JSON and anything else TOML.
 *
 * @throws StartError when the file can't be read, is too large or isn't text.
 */
export async function readConfigFile(path: string, format?: "toml" | "json"): Promise<BaseText> {
  const bytes = path === "-" || path === "/dev/stdin"
    ? await readUpTo(Deno.stdin, path)
    : await readBytes(path);
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return { text, file: path, format: format ?? (/\.json$/i.test(path) ? "json" : "toml") };
  } catch { // TypeError: not UTF-8
    throw unusable(path, "is not UTF-8 text", "save it as UTF-8");
  }
}

async function readBytes(path: string): Promise<Uint8Array> {
  try {
    using file = await Deno.open(path, { read: true });
    const { size, isDirectory } = await file.stat();
    if (isDirectory) throw unusable(path, "is a directory", "name the file inside it");
    if (size > MAX_BYTES) throw tooLarge(path);
    return await readUpTo(file, path);
  } catch (error) {
    throw error instanceof StartError ? error : explain(path, error);
  }
}

/** A pipe or /dev/stdin has no size before it ends. */
async function readUpTo(
  file: { readonly readable: ReadableStream<Uint8Array<ArrayBuffer>> },
  path: string,
): Promise<Uint8Array> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  for await (const chunk of file.readable) {
    chunks.push(chunk);
    if ((bytes += chunk.length) > MAX_BYTES) throw tooLarge(path);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

function tooLarge(path: string): StartError {
  return unusable(path, "is larger than 8 MiB", "name a configuration file");
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
