/** Twixt as a process of its own: a compiled executable when `TWIXT_BIN` names one, else `deno run`. */
import { until } from "./backends.ts";
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
  /**
   * A shell command that runs it: `{}` stands for the program and its arguments, `$FOLDER` for the folder
   * of its files, which is removed in the end.
   */
  readonly wrap?: string;
  /** Resolves once it has started, where its log is not to be read on standard output. */
  readonly started?: () => Promise<unknown>;
};

/** What {@link runTwixt} takes beside arguments. */
export type RunOptions = Pick<TwixtOptions, "env" | "wrap">;

const MAIN = fromFileUrl(new URL("../../main.ts", import.meta.url));
const CONFIG = fromFileUrl(new URL("../../deno.json", import.meta.url));

/** The program and the arguments before its own. */
export function program(): string[] {
  const bin = Deno.env.get("TWIXT_BIN");
  if (bin !== undefined && bin !== "") return [bin];
  const flags = ["--no-prompt", "--no-check", "-N", "-R", "-W", "-E", "-S", "--allow-run"];
  const v8 = "--v8-flags=--no-allocation-site-pretenuring";
  return [Deno.execPath(), "run", "--quiet", "--config", CONFIG, v8, ...flags, MAIN];
}

/** Longest run of a command that ends by itself. */
const COMMAND_MS = 20_000;

/** Runs a command of it to the end. One that doesn't end within 20 s is killed: its code is 137. */
export async function runTwixt(
  args: readonly string[],
  options: RunOptions = {},
): Promise<{ code: number; out: string; err: string }> {
  const child = spawn([...program(), ...args], options);
  const timer = setTimeout(() => child.kill("SIGKILL"), COMMAND_MS);
  const { code, stdout, stderr } = await child.output();
  clearTimeout(timer);
  const text = new TextDecoder();
  return { code, out: text.decode(stdout), err: text.decode(stderr) };
}

function spawn(command: readonly string[], { env, wrap }: RunOptions): Deno.ChildProcess {
  const argv = wrap === undefined
    ? command
    : ["sh", "-c", wrap.replace("{}", () => command.map(quote).join(" "))];
  return new Deno.Command(argv[0]!, {
    args: argv.slice(1),
    env: { ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** A running Twixt. Dispose it: it is stopped, by force if need be, and its folder removed. */
export class Twixt implements AsyncDisposable {
  readonly lines: LogLine[] = [];
  readonly err: string[] = [];
  readonly #readers: Promise<unknown>[];
  readonly #watchers = new Set<() => void>();
  /** Keeps no connection, so that what the program has open is its own. */
  readonly #http = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });

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
    const command = [...program(), "-c", file, "-p", pidFile, ...(options.args ?? [])];
    const child = spawn(command, { ...options, env: { ...options.env, FOLDER: folder } });
    const twixt = new Twixt(child, folder, child.pid);
    await twixt.#started(pidFile, options);
    return twixt;
  }

  async #started(pidFile: string, { config, started }: TwixtOptions): Promise<void> {
    const enough = new AbortController();
    try {
      await Promise.race([
        started?.() ?? this.#listens(config, enough.signal),
        this.child.status.then(({ code }) => {
          throw new Error(`it ended with ${code}`);
        }),
      ]);
      const pid = Number(await Deno.readTextFile(pidFile));
      Object.assign(this, { pid }); // a wrapping shell has a process id of its own
    } catch (error) {
      await this[Symbol.asyncDispose]();
      const said = [...this.err, ...this.lines.map((line) => JSON.stringify(line))].join("\n");
      throw new Error(`twixt didn't start: ${error}\n${said}`);
    } finally {
      enough.abort();
    }
  }

  /** Resolves when the log has named the address of each server, and of the API. */
  async #listens(config: Record<string, unknown>, signal: AbortSignal): Promise<void> {
    const { servers = {}, api } = config as { servers?: object; api?: { enabled?: boolean } };
    const count = Object.keys(servers).length;
    const listening = () => this.lines.filter((line) => line.msg === "listening").length;
    await this.logged(() => listening() >= count, 20_000, signal);
    if (api?.enabled) await this.logged((line) => line.msg === "API listening", 20_000, signal);
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
    const init = { client: this.#http } as RequestInit; // the browser's type, which has no client
    return await fetch(`http://${line?.address}${path}`, init);
  }

  /** A server's stats, as the API gives them. */
  // deno-lint-ignore no-explicit-any
  async stats(server: string): Promise<any> {
    return await (await this.api(`/servers/${server}/stats`)).json();
  }

  /** Resolves with the first log line, past or to come, that `matches`. */
  async logged(
    matches: (line: LogLine) => boolean,
    withinMs = 20_000,
    signal?: AbortSignal,
  ): Promise<LogLine> {
    const { promise, resolve, reject } = Promise.withResolvers<LogLine>();
    const look = () => {
      const found = this.lines.find(matches);
      if (found !== undefined) resolve(found);
    };
    const fail = () =>
      reject(new Error(`no such log line within ${withinMs} ms; there were:\n${this.text()}`));
    const timer = setTimeout(fail, withinMs);
    signal?.addEventListener("abort", fail);
    this.#watchers.add(look);
    look();
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", fail);
      this.#watchers.delete(look);
    }
  }

  /** Its log as text. */
  text(): string {
    return this.lines.map((line) => JSON.stringify(line)).join("\n");
  }

  /** Its configuration file. */
  get file(): string {
    return `${this.folder}/twixt.json`;
  }

  /** Replaces its configuration file. */
  async configure(config: Record<string, unknown>): Promise<void> {
    await Deno.writeTextFile(this.file, configText(config));
  }

  /** Replaces its configuration, or its file's text, and makes it reload. True: it uses the new one. */
  async reload(config: Record<string, unknown> | string): Promise<boolean> {
    const text = typeof config === "string" ? config : configText(config);
    await Deno.writeTextFile(this.file, text);
    const seen = this.lines.length;
    this.signal("SIGHUP");
    const { level } = await this.logged((line) =>
      /^reloaded|^the new configuration isn't used/.test(line.msg) &&
      this.lines.indexOf(line) >= seen
    );
    return level === "info";
  }

  /** Sends it a signal. */
  signal(signal: Deno.Signal): void {
    Deno.kill(this.pid, signal);
  }

  /** Descriptors that it has open, beside those that it holds in reserve. */
  async descriptors(): Promise<number> {
    // those are of its own executable, and come a second after the start
    const reserved = `-> $(readlink /proc/${this.pid}/exe)`;
    return Number(await shell(`ls -l /proc/${this.pid}/fd | grep -cFve "${reserved}" -e "total "`));
  }

  /** Waits until no more descriptors are open than there were before. */
  async descriptorsReturn(to: number): Promise<void> {
    const back = async () => await this.descriptors() <= to;
    await until(back, 10_000, `return to ${to} descriptors`);
  }

  /** Resident memory in bytes. */
  resident(): Promise<number> {
    return residentOf(this.pid);
  }

  /** Resolves with its exit code. */
  async ended(): Promise<number> {
    return (await this.child.status).code;
  }

  /** Stops it without waiting for sessions, by force if need be. */
  async [Symbol.asyncDispose](): Promise<void> {
    const signal = (signal: Deno.Signal) => {
      try {
        Deno.kill(this.pid, signal);
      } catch {
        // it has ended already
      }
    };
    const kill = () => {
      signal("SIGKILL");
      if (this.pid !== this.child.pid) this.child.kill("SIGKILL");
    };
    const timers = [setTimeout(signal, 200, "SIGTERM"), setTimeout(kill, 3_000)];
    signal("SIGTERM");
    signal("SIGCONT");
    await this.child.status;
    for (const timer of timers) clearTimeout(timer);
    await Promise.all(this.#readers);
    this.#http.close();
    await Deno.remove(this.folder, { recursive: true });
  }

  async #read(
    stream: ReadableStream<Uint8Array<ArrayBuffer>>,
    take: (line: string) => void,
  ): Promise<void> {
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

/** A process's resident memory in bytes. */
export async function residentOf(pid: number): Promise<number> {
  return Number(await shell(`awk '/^VmRSS/ { print $2 }' /proc/${pid}/status`)) * 1024;
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
