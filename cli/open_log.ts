import { messageOf, StartError } from "../lib/errors.ts";
import { type ByteSink, LineWriter } from "../lib/line_writer.ts";
import { type Log, startLog } from "../lib/log.ts";
import type { LoggingSpec } from "../lib/model.ts";

/** A log that runs, and the writer behind it. */
export type OpenLog = { readonly log: Log; readonly writer: LineWriter };

/**
 * Starts logging as configured. The caller closes the writer.
 * @throws StartError when the log file can't be opened.
 */
export async function openLog(spec: LoggingSpec): Promise<OpenLog> {
  const open = opener(spec.output);
  try {
    (await open()).close?.(); // better found now than with the first line
  } catch (error) {
    throw new StartError(
      `log file ${spec.output} can't be opened: ${messageOf(error)}`,
      "choose a path that this user may write to, or stdout",
    );
  }
  const writer = new LineWriter(
    open,
    (dropped) => spec.format === "json" ? droppedJson(dropped) : droppedText(dropped),
  );
  return { log: await startLog(spec, (line) => writer.write(line)), writer };
}

function opener(output: string): () => Promise<ByteSink> {
  switch (output) {
    case "":
    case "stdout":
    case "/dev/stdout": // the runtime lets nobody open these by name
      return () => Promise.resolve({ write: (bytes) => Deno.stdout.write(bytes) });
    case "stderr":
    case "/dev/stderr":
      return () => Promise.resolve({ write: (bytes) => Deno.stderr.write(bytes) });
    default:
      return () => openFile(output);
  }
}

/** A pipe that nobody reads would be waited for, and with it, in an executable, everything: open both ends of one. */
async function openFile(path: string): Promise<Deno.FsFile> {
  const { isFifo } = await Deno.stat(path).catch(() => ({ isFifo: false }));
  return await Deno.open(
    path,
    isFifo ? { read: true, write: true } : { append: true, create: true, mode: 0o644 },
  );
}

function droppedText(dropped: number): string {
  return `log lines were lost because nobody took them: ${dropped}\n`;
}

function droppedJson(dropped: number): string {
  return JSON.stringify({ level: "warning", msg: "log lines were lost", name: "log", dropped }) +
    "\n";
}
