/** Programs that Twixt runs for discoveries and checks: bounded in time and output, and nothing of them stays behind. */

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

/**
 * Runs a program to its end. When `signal` aborts, it and all of its process group are killed.
 * @throws Error when it can't be started, or was killed at the limit.
 */
export type RunProgram = (argv: Argv, signal: AbortSignal) => Promise<Ran>;

/** Longest standard output; a program that says more is killed. */
export const MAX_OUTPUT_BYTES: number = 1 << 20;
const MAX_STDERR_BYTES = 4096;
/** What a program that has ended may still have in its pipe. */
const LAST_BYTES_MS = 200;

/** Variables that programs get; nothing else of our environment. */
const PASSED = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR"];

/** Runs programs as children of this process, each in a process group of its own, with a cleared environment. */
export const runProgram: RunProgram = async (argv, signal): Promise<Ran> => {
  const [program, ...args] = argv;
  if (program === undefined) throw new Error("there is no program to run");
  signal.throwIfAborted();
  const child = spawn(program, args);
  const kill = () => killGroup(child.pid);
  signal.addEventListener("abort", kill, { once: true });
  try {
    const enough = new AbortController();
    const out = collect(child.stdout, MAX_OUTPUT_BYTES, enough.signal, kill);
    const err = collect(child.stderr, MAX_STDERR_BYTES, enough.signal, () => {});
    const status = await child.status;
    const late = setTimeout(() => enough.abort(), LAST_BYTES_MS);
    kill(); // what it has left behind would go on, and hold its pipes open
    const [stdout, stderr] = await Promise.all([out, err]);
    clearTimeout(late);
    if (signal.aborted) throw new Error(`${program} was killed: it took too long`);
    const tooLong = stdout.cut ? `it said more than ${MAX_OUTPUT_BYTES} bytes` : undefined;
    const ended = tooLong ?? status.signal ?? undefined;
    return {
      code: ended === undefined ? status.code : undefined,
      ended,
      stdout: stdout.text,
      stderr: stderr.text,
    };
  } finally {
    signal.removeEventListener("abort", kill);
  }
};

function spawn(program: string, args: string[]): Deno.ChildProcess {
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
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new Error(`there is no program ${program}`);
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new Error(`${program} can't be run: permission denied`);
    }
    throw error;
  }
}

/** Everybody whom the program has started, too, unless they have left its process group. */
function killGroup(pid: number): void {
  try {
    Deno.kill(-pid, "SIGKILL");
  } catch {
    // NotFound: nobody is left
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
