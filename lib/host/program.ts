/** Programs that Twixt runs for discoveries and checks: bounded in time and output, and nothing of them stays behind. */
import { messageOf } from "../errors.ts";

/** A program and its arguments; no shell. */
export type Argv = readonly string[];

/** How a program ended. */
export type Ran = {
  /** Its exit code; undefined where a signal, or the limit of its output, ended it. */
  readonly code: number | undefined;
  /** What ended it instead of itself: `SIGSEGV`, or that it said too much. */
  readonly ended: string | undefined;
  readonly stdout: string;
  /** The beginning of it. */
  readonly stderr: string;
};

/** What a program is given, and may say, beyond its arguments. */
export type ProgramOptions = {
  /** Its standard input; nothing when left out. */
  readonly input?: string;
  /** Longest standard output, for one that is trusted to say more than {@link MAX_OUTPUT_BYTES}. */
  readonly maxOutputBytes?: number;
};

/**
 * Runs a program to its end. When `signal` aborts, it and all of its process group are killed.
 * @throws Error when it can't be started, or was killed at the limit; LeftBehindError when it can't be killed.
 */
export type RunProgram = (
  argv: Argv,
  signal: AbortSignal,
  options?: ProgramOptions,
) => Promise<Ran>;

/** Processes of a program's group can't be killed: they run as somebody else, as those of `sudo` do. */
export class LeftBehindError extends Error {
  /** `group` is the process group in which they are. */
  constructor(program: string, readonly group: number, cause: unknown) {
    const why = messageOf(cause);
    super(
      `${program} has left processes that can't be killed (${why}): end them with kill -9 -- -${group}; ` +
        "it isn't run again before that",
      { cause },
    );
  }
}

/** A program was killed at its limit. */
export class KilledError extends Error {
  /** `session` is that in which it ran. */
  constructor(program: string, readonly session: number) {
    super(`${program} was killed: it took too long`);
  }
}

/** There is no such program. */
export class MissingProgramError extends Error {
  /** `program` as it was asked for. */
  constructor(program: string) {
    super(`there is no program ${program}`);
  }
}

/** Longest standard output; a program that says more is killed. */
export const MAX_OUTPUT_BYTES: number = 1 << 20;
const MAX_STDERR_BYTES = 4096;
/** What a program that has ended may still have in its pipe. */
const LAST_BYTES_MS = 200;

/** Variables that programs get; nothing else of our environment. */
const PASSED = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR"];

/** Runs programs as children of this process, each in a process group of its own, with a cleared environment. */
export const runProgram: RunProgram = async (argv, signal, options = {}): Promise<Ran> => {
  const { input, maxOutputBytes = MAX_OUTPUT_BYTES } = options;
  const [program, ...args] = argv;
  if (program === undefined) throw new Error("there is no program to run");
  signal.throwIfAborted();
  const child = spawn(program, args, input !== undefined);
  const stuck = Promise.withResolvers<never>();
  stuck.promise.catch(() => {}); // nobody may be waiting for it any more
  const kill = () => {
    try {
      killGroup(child.pid);
    } catch (error) {
      stuck.reject(new LeftBehindError(program, child.pid, error));
    }
  };
  signal.addEventListener("abort", kill, { once: true });
  const enough = new AbortController();
  let late: ReturnType<typeof setTimeout> | undefined;
  try {
    if (input !== undefined) void feed(child.stdin, input);
    const out = collect(child.stdout, maxOutputBytes, enough.signal, kill);
    const err = collect(child.stderr, MAX_STDERR_BYTES, enough.signal, () => {});
    const status = await Promise.race([child.status, stuck.promise]);
    late = setTimeout(() => enough.abort(), LAST_BYTES_MS);
    kill(); // what it has left behind would go on, and hold its pipes open
    const [stdout, stderr] = await Promise.race([Promise.all([out, err]), stuck.promise]);
    if (signal.aborted) throw new KilledError(program, child.pid);
    const tooLong = stdout.cut ? `it said more than ${maxOutputBytes} bytes` : undefined;
    const ended = tooLong ?? status.signal ?? undefined;
    return {
      code: ended === undefined ? status.code : undefined,
      ended,
      stdout: stdout.text,
      stderr: stderr.text,
    };
  } catch (error) {
    enough.abort();
    child.unref(); // it would keep us from ending
    throw error;
  } finally {
    clearTimeout(late);
    signal.removeEventListener("abort", kill);
  }
};

/** As `run`, but a command whose processes can't be killed isn't run again while one of them is there. */
export function onceLeft(run: RunProgram): RunProgram {
  const left = new Map<string, LeftBehindError>();
  return async (argv, signal, options) => {
    const command = JSON.stringify(argv);
    const before = left.get(command);
    if (before !== undefined && exists(before.group)) throw before;
    left.delete(command);
    try {
      return await run(argv, signal, options);
    } catch (error) {
      if (error instanceof LeftBehindError) left.set(command, error);
      throw error;
    }
  };
}

/** Is somebody in this process group? */
function exists(group: number): boolean {
  try {
    Deno.kill(-group, "SIGCONT"); // does nothing to who runs
    return true;
  } catch (error) {
    return !(error instanceof Deno.errors.NotFound);
  }
}

function spawn(program: string, args: string[], fed: boolean): Deno.ChildProcess {
  const env: Record<string, string> = {};
  for (const name of PASSED) {
    const value = Deno.env.get(name);
    if (value !== undefined) env[name] = value;
  }
  try {
    return new Deno.Command(program, {
      args,
      env,
      clearEnv: true,
      detached: true,
      stdin: fed ? "piped" : "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new MissingProgramError(program);
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new Error(`${program} can't be run: permission denied`);
    }
    throw error;
  }
}

/** Everybody whom the program has started, too, unless they have left its process group. @throws where nobody may be killed. */
function killGroup(pid: number): void {
  try {
    Deno.kill(-pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error; // that is ESRCH: nobody is left
  }
}

/** Writes all of a program's input. Never rejects. */
async function feed(stdin: WritableStream<Uint8Array<ArrayBuffer>>, input: string): Promise<void> {
  try {
    await new Blob([input]).stream().pipeTo(stdin);
  } catch {
    // BrokenPipe: it has ended, and its exit code tells why
  }
}

type Collected = { readonly text: string; readonly cut: boolean };

/** The beginning of a stream. What is over `most` is told of once, then read and forgotten. Never rejects. */
async function collect(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  most: number,
  enough: AbortSignal,
  onCut: () => void,
): Promise<Collected> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  let cut = false;
  const reader = stream.getReader();
  const stop = () => void reader.cancel().catch(() => {});
  enough.addEventListener("abort", stop, { once: true });
  try {
    for (;;) {
      const { value } = await reader.read();
      if (value === undefined) break;
      if (bytes < most) chunks.push(value.subarray(0, most - bytes));
      bytes += value.length;
      if (bytes > most && !cut) {
        cut = true;
        onCut();
      }
    }
  } catch {
    // cancelled
  }
  enough.removeEventListener("abort", stop);
  return { text: new TextDecoder().decode(await new Blob(chunks).arrayBuffer()), cut };
}
