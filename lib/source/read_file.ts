import type { ConfigText } from "../config/parse.ts";
import { StartError } from "../errors.ts";
import { formatOf, MAX_BYTES, readUpTo } from "./limited.ts";
import { readPlainFile, textOf } from "./plain_file.ts";

/**
 * Reads a configuration file; `-` is standard input, which can be read once. Without a format, `.json` is JSON and
 * anything else TOML.
 *
 * @throws StartError when the file can't be read, is too large or isn't text.
 */
export async function readConfigFile(
  path: string,
  format?: "toml" | "json",
): Promise<ConfigText> {
  const text = isStandardInput(path)
    ? textOf(path, await readUpTo(Deno.stdin.readable, MAX_BYTES))
    : await readPlainFile(path).catch((error) => Promise.reject(advised(path, error)));
  return { text, file: path, format: formatOf(format, path) };
}

/** Is this the name of standard input? */
export function isStandardInput(path: string): boolean {
  return path === "-" || path === "/dev/stdin";
}

/** With what to do about a configuration that is missing, or comes by a pipe. */
function advised(path: string, error: StartError): StartError {
  const hint = error.message.endsWith("does not exist")
    ? `check the path, or write a first one: twixt init ${path}`
    : error.message.endsWith("is no plain file")
    ? "write what it gives into a file, or pipe it in: … | twixt -c -"
    : error.hint;
  return new StartError(error.message, hint, true);
}
