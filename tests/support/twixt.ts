/** Twixt as a process of its own: a compiled executable when `TWIXT_BIN` names one, else `deno run`. */
import { fromFileUrl } from "./paths.ts";

/** A line of its log. */
export type LogLine = {
  readonly level: string;
  readonly msg: string;
  readonly name: string;
  readonly [field: string]: unknown;
};

/** How to start it. */
export type TwixtOptions = {
  /** Sections of the configuration beside logging, which is JSON on standard output. */
  readonly config: Record<string, unknown>;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A shell command that runs it: `{}` stands for the program and its arguments. */
  readonly wrap?: string;
};

const MAIN = fromFileUrl(new URL("../../main.ts", import.meta.url));
const CONFIG = fromFileUrl(new URL("../../deno.json", import.meta.url));

/** The program and the arguments before its own. */
export function program(): string[] {
  const bin = Deno.env.get("TWIXT_BIN");
  if (bin !== undefined && bin !== "") return [bin];
  const flags = ["--no-prompt", "--no-check", "-N", "-R", "-W", "-E", "-S", "--allow-run"];
  const v8 = "--v8-flags=--no-allocation-site-pretenuring";
  return [Deno.execPath(), "run", "--config", CONFIG, v8, ...flags, MAIN];
}

/** Runs a command of it to the end. */
export async function runTwixt(
  args: readonly string[],
): Promise<{ code: number; out: string; err: string }> {
  const [bin, ...before] = program();
  const command = new Deno.Command(bin!, { args: [...before, ...args], stdin: "null" });
  const { code, stdout, stderr } = await command.output();
  const text = new TextDecoder();
  return { code, out: text.decode(stdout), err: text.decode(stderr) };
}

/** A running Twixt. Dispose it: it is stopped, by force if need be, and its folder removed. */
export class Twixt implements AsyncDisposable {
  readonly lines: LogLine[] = [];
  readonly err: string[] = [];
  readonly #readers: Promise<unknown>[];
  readonly #watchers = new Set<() => void>();

  private constructor(
    readonly child: Deno.ChildProcess,
    readonly folder: string,
    readonly pid: number,
  ) {
    this.#readers = [
      this.#read(child.stdout, (line) => this.lines.push(parse(line))),
      this.#read(child.stderr, (line) => this.err.push(line)),
    ];
  }

  /** Starts it. Resolves when all servers listen; throws with its output when it ends before. */
  static async start(options: TwixtOptions): Promise<Twixt> {
    const folder = await Deno.makeTempDir({ prefix: "twixt-test-" });
    const file = `${folder}/twixt.json`;
    await Deno.writeTextFile(file, configText(options.config));
    const pidFile = `${folder}/twixt.pid`;
    const own = [...program(), "-c", file, "-p", pidFile, ...(options.args ?? [])];
    const argv = options.wrap === undefined
      ? own
      : ["sh", "-c", options.wrap.replace("{}", own.map(quote).join(" "))];
    const child = new Deno.Command(argv[0]!, {
      args: argv.slice(1),
      env: { ...options.env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const twixt = new Twixt(child, folder, child.pid);
    await twixt.#started(pidFile);
    return twixt;
  }

  async #started(pidFile: string): Promise<void> {
    try {
      await Promise.race([
        this.logged((line) => line.msg.startsWith("twixt ")),
        this.child.status.then(({ code }) => {
          throw new Error(`it ended with ${code}`);
        }),
      ]);
      const pid = Number(await Deno.readTextFile(pidFile));
      Object.assign(this, { pid }); // a wrapping shell has a process id of its own
    } catch (error) {
      const said = [...this.err, ...this.lines.map((line) => JSON.stringify(line))].join("\n");
      await this[Symbol.asyncDispose]();
      throw new Error(`twixt didn't start: ${error}\n${said}`);
    }
  }

  /** Where a server listens. */
  port(server: string): number {
    const line = this.lines.findLast((line) => line.msg === "listening" && line.server === server);
    if (line === undefined) throw new Error(`server ${server} doesn't listen`);
    return Number(String(line.address).split(":").at(-1));
  }

  /** Asks the API. */
  async api(path: string): Promise<Response> {
    const line = this.lines.findLast((line) => line.msg === "API listening");
    return await fetch(`http://${line?.address}${path}`);
  }

  /** A server's stats, as the API gives them. */
  // deno-lint-ignore no-explicit-any
  async stats(server: string): Promise<any> {
    return await (await this.api(`/servers/${server}/stats`)).json();
  }

  /** Resolves with the first log line, past or to come, that `matches`. */
  async logged(matches: (line: LogLine) => boolean, withinMs = 20_000): Promise<LogLine> {
    const { promise, resolve, reject } = Promise.withResolvers<LogLine>();
    const look = () => {
      const found = this.lines.find(matches);
      if (found !== undefined) resolve(found);
    };
    const timer = setTimeout(
      () => reject(new Error(`no such log line within ${withinMs} ms; there were:\n${this.text()}`)),
      withinMs,
    );
    this.#watchers.add(look);
    look();
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#watchers.delete(look);
    }
  }

  /** Its log as text. */
  text(): string {
    return this.lines.map((line) => JSON.stringify(line)).join("\n");
  }

  /** Replaces its configuration file. */
  async configure(config: Record<string, unknown>): Promise<void> {
    await Deno.writeTextFile(`${this.folder}/twixt.json`, configText(config));
  }

  /** Sends it a signal. */
  signal(signal: Deno.Signal): void {
    Deno.kill(this.pid, signal);
  }

  /** Descriptors that it has open. */
  async descriptors(): Promise<number> {
    return Number(await shell(`ls /proc/${this.pid}/fd | wc -l`));
  }

  /** Resident memory in bytes. */
  async resident(): Promise<number> {
    return Number(await shell(`awk '/^VmRSS/ { print $2 }' /proc/${this.pid}/status`)) * 1024;
  }

  /** Resolves with its exit code. */
  async ended(): Promise<number> {
    return (await this.child.status).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const kill = () => {
      try {
        Deno.kill(this.pid, "SIGKILL");
        this.child.kill("SIGKILL");
      } catch {
        // it has ended already
      }
    };
    const timer = setTimeout(kill, 3_000);
    try {
      Deno.kill(this.pid, "SIGTERM");
      Deno.kill(this.pid, "SIGCONT");
      setTimeout(() => this.#again(), 200);
    } catch {
      // it has ended already
    }
    await this.child.status;
    clearTimeout(timer);
    await Promise.all(this.#readers);
    await Deno.remove(this.folder, { recursive: true });
  }

  /** Tests don't wait for sessions to end. */
  #again(): void {
    try {
      Deno.kill(this.pid, "SIGTERM");
    } catch {
      // it has ended already
    }
  }

  async #read(stream: ReadableStream<Uint8Array>, take: (line: string) => void): Promise<void> {
    let rest = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) take(line);
      for (const look of this.#watchers) look();
    }
    if (rest !== "") take(rest);
  }
}

/** The output of a shell command. */
export async function shell(command: string): Promise<string> {
  const { stdout } = await new Deno.Command("sh", { args: ["-c", command] }).output();
  return new TextDecoder().decode(stdout).trim();
}

function configText(config: Record<string, unknown>): string {
  return JSON.stringify({ logging: { level: "info", format: "json" }, ...config });
}

function parse(line: string): LogLine {
  try {
    return JSON.parse(line);
  } catch {
    return { level: "", name: "", msg: line };
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
