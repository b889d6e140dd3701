/** Twixt's program and other processes: how tests start them, and what the system tells about them. */
import { fromFileUrl } from "./paths.ts";

/** How to run a command. */
export type RunOptions = {
  readonly env?: Readonly<Record<string, string>>;
  /** A shell command that runs it: `{}` stands for the program and its arguments. */
  readonly wrap?: string;
};

const MAIN = fromFileUrl(new URL("../../main.ts", import.meta.url));
const CONFIG = fromFileUrl(new URL("../../deno.json", import.meta.url));

/** The program and the arguments before its own: a compiled executable when `TWIXT_BIN` names one, else `deno run`. */
export function program(): string[] {
  const bin = Deno.env.get("TWIXT_BIN");
  if (bin !== undefined && bin !== "") return [bin];
  const flags = ["--no-prompt", "--no-check", "-N", "-R", "-W", "-E", "-S", "--allow-run"];
  const v8 = "--v8-flags=--no-allocation-site-pretenuring";
  return [Deno.execPath(), "run", "--quiet", "--config", CONFIG, v8, ...flags, MAIN];
}

/** Longest run of a command that ends by itself. */
const COMMAND_MS = 20_000;

/** How a command ended, and what it said. */
export type Ended = { readonly code: number; readonly out: string; readonly err: string };

/** Runs a command of it to the end. One that doesn't end within 20 s is killed: its code is 137. */
export async function runTwixt(
  args: readonly string[],
  options: RunOptions = {},
): Promise<Ended> {
  const child = spawn([...program(), ...args], options);
  const timer = setTimeout(() => child.kill("SIGKILL"), COMMAND_MS);
  const ended = await outputOf(child);
  clearTimeout(timer);
  return ended;
}

/** Runs a command of it to its end, for as long as that takes, where {@link runTwixt} would lose patience. */
export function runToEnd(args: readonly string[]): Promise<Ended> {
  return outputOf(spawn([...program(), ...args], {}));
}

async function outputOf(child: Deno.ChildProcess): Promise<Ended> {
  const { code, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  return { code, out: text.decode(stdout), err: text.decode(stderr) };
}

/** Starts a command with its outputs piped. The caller ends it. */
export function spawn(command: readonly string[], { env, wrap }: RunOptions): Deno.ChildProcess {
  const [name, ...args] = wrapped(command, wrap);
  return new Deno.Command(name!, {
    args,
    env: { ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** A command as {@link RunOptions.wrap} wants it. */
export function wrapped(command: readonly string[], wrap: string | undefined): readonly string[] {
  if (wrap === undefined) return command;
  return ["sh", "-c", wrap.replace("{}", () => command.map(quote).join(" "))];
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Hands on each line of an output as it comes. Resolves at its end. */
export async function eachLine(
  output: ReadableStream<Uint8Array<ArrayBuffer>>,
  take: (line: string) => void,
): Promise<void> {
  let rest = "";
  for await (const text of output.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) take(line);
  }
  if (rest !== "") take(rest);
}

/** A process's resident memory in bytes. */
export async function residentOf(pid: number): Promise<number> {
  return Number(await shell(`awk '/^VmRSS/ { print $2 }' /proc/${pid}/status`)) * 1024;
}

/** The output of a shell command. */
export async function shell(command: string): Promise<string> {
  const { stdout } = await new Deno.Command("sh", { args: ["-c", command] }).output();
  return new TextDecoder().decode(stdout).trim();
}
