import { z } from "zod";
import { text } from "../lib/config/values.ts";
import { DiscoveryError, messageOf } from "../lib/errors.ts";
import type { DiscoveryContext, DiscoveryKind } from "../lib/kinds.ts";
import { LOOK_MS, looksOf } from "../lib/looks.ts";
import type { Backend } from "../lib/model.ts";
import { readPlainFile } from "../lib/source/plain_file.ts";
import { jsonRowsOf, rowsOf, USUAL_PATHS } from "./_rows.ts";

/** The keys of `file`. */
export type FileOptions = {
  readonly file_path: string;
  readonly file_format?: "lines" | "json";
};

/** Backends from a file that somebody else writes. A change of it is seen within about a second. */
export const file: DiscoveryKind<FileOptions> = {
  name: "file",
  summary: "Reads a file that names the backends, and reads it again when it has changed.",
  example: 'file_path = "/etc/twixt/backends"',
  shape: {
    file_path: text("The path of the file.").refine((path) => path !== "", "is empty")
      .meta({ file: true }),
    file_format: z.enum(["lines", "json"]).optional().describe(
      "What it holds: `lines` of `host:port weight=1 …`, or a `json` list of objects.",
    ).meta({ otherwise: "`json` where its name ends in `.json`, else `lines`" }),
  },
  guarded: ({ file_path }) => [file_path],
  find: read,
  async *watch(options, context) {
    const { signal } = context;
    const look = () => unless(looksOf(options.file_path), signal);
    let seen = await look(); // before it is read: what changes meanwhile is read again
    yield await read(options, context);
    for (let before = seen; await pause(LOOK_MS, signal);) {
      const now = await look();
      if (now !== seen && now === before) { // nobody writes any more
        seen = now;
        yield await read(options, context);
      }
      before = now;
    }
  },
};

/** Reads it once. @throws DiscoveryError when it can't be used. */
async function read(
  { file_path: path, file_format: format = /\.json$/i.test(path) ? "json" : "lines" }: FileOptions,
  { skip, signal }: DiscoveryContext,
): Promise<readonly Backend[]> {
  const reading = readPlainFile(path).catch((error) => {
    throw new DiscoveryError(messageOf(error), { cause: error });
  });
  const text = await unless(reading, signal);
  return format === "json"
    ? jsonRowsOf(text, { paths: USUAL_PATHS, nested: true }, skip)
    : rowsOf(text, skip);
}

/** What was promised, unless the signal aborts before: a file on a dead network disk is waited for in vain. */
async function unless<T>(promised: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const stopped = Promise.withResolvers<never>();
  const stop = () => stopped.reject(new DiscoveryError("the file's disk doesn't answer"));
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([promised, stopped.promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** False once the signal has aborted. */
function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  if (signal.aborted) return Promise.resolve(false);
  const end = () => {
    clearTimeout(timer);
    resolve(false);
  };
  const timer = setTimeout(() => {
    signal.removeEventListener("abort", end);
    resolve(true);
  }, ms);
  signal.addEventListener("abort", end, { once: true });
  return promise;
}
