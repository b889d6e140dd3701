/** Twixt as a process of its own, with its files in a folder of its own. */
import assert from "node:assert/strict";
import { until } from "./backends.ts";
import { eachLine, program, residentOf, type RunOptions, shell, spawn } from "./process.ts";

export { program, residentOf, type RunOptions, runTwixt, shell } from "./process.ts";

/** A line of its log. */
export type LogLine = {
  readonly level: string;
  readonly msg: string;
  readonly name: string;
  readonly [field: string]: unknown;
};

/** How to start it. */
export type TwixtOptions = RunOptions & {
  /** Sections of the configuration beside logging, which is JSON on standard output. */
  readonly config: Record<string, unknown>;
  readonly args?: readonly string[];
  /** Starts it with `--takeover` in place of `-p`. */
  readonly takeover?: boolean;
  /** Resolves once it has started, where its log is not to be read on standard output. */
  readonly started?: () => Promise<unknown>;
};

/** A running Twixt. Dispose it: it is stopped, by force if need be, and its folder removed. */
export class Twixt implements AsyncDisposable {
  readonly lines: LogLine[] = [];
  readonly err: string[] = [];
  readonly #readers: Promise<unknown>[];
  readonly #watchers = new Set<() => void>();
  /** Keeps no connection, so that what the program has open is its own. */
  readonly #http = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
  #over = false;

  private constructor(
    readonly child: Deno.ChildProcess,
    readonly folder: string,
    readonly options: TwixtOptions,
    /** Whose folder it uses, if not its own. */
    readonly predecessor: Twixt | undefined,
    readonly pid: number,
  ) {
    const take = (keep: (line: string) => void) => (line: string) => {
      keep(line);
      for (const look of this.#watchers) look();
    };
    this.#readers = [
      eachLine(child.stdout, take((line) => this.lines.push(parse(line)))),
      eachLine(child.stderr, take((line) => this.err.push(line))),
    ];
    void child.status.then(() => this.#over = true);
  }

  /**
   * Starts it: `$FOLDER` in `wrap` is the folder of its files, which is removed in the end. Resolves when all
   * servers listen; throws with its output when it ends before.
   */
  static async start(options: TwixtOptions): Promise<Twixt> {
    const folder = await Deno.makeTempDir({ prefix: "twixt-test-" });
    await Deno.writeTextFile(`${folder}/twixt.json`, configText(options.config));
    return await Twixt.#run(folder, options);
  }

  /**
   * Starts a successor that takes over from this one, in the same folder, with the same options but for `changes`.
   * Resolves when it has. Dispose it before this one.
   */
  async takeover(changes: Partial<TwixtOptions> = {}): Promise<Twixt> {
    if (changes.config !== undefined) await this.configure(changes.config);
    return await Twixt.#run(this.folder, { ...this.options, ...changes, takeover: true }, this);
  }

  static async #run(folder: string, options: TwixtOptions, predecessor?: Twixt): Promise<Twixt> {
    const { args = [], takeover } = options;
    const files = ["-c", `${folder}/twixt.json`, takeover ? "--takeover" : "-p"];
    const command = [...program(), ...files, `${folder}/twixt.pid`, ...args];
    const child = spawn(command, { ...options, env: { ...options.env, FOLDER: folder } });
    const twixt = new Twixt(child, folder, options, predecessor, child.pid);
    await twixt.#started();
    return twixt;
  }

  async #started(): Promise<void> {
    const { config, started } = this.options;
    const enough = new AbortController();
    try {
      await Promise.race([
        started?.() ?? this.#listens(config, enough.signal),
        this.child.status.then(({ code }) => {
          throw new Error(`it ended with ${code}`);
        }),
      ]);
      Object.assign(this, { pid: await this.pidInFile() }); // a wrapping shell has a process id of its own
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
    if (this.predecessor) await this.logged((line) => line.msg === "taken over", 20_000, signal);
  }

  /** Where a server listens. */
  port(server: string): number {
    const line = this.lines.findLast((line) => line.msg === "listening" && line.server === server);
    if (line === undefined) throw new Error(`server ${server} doesn't listen`);
    return Number(String(line.address).split(":").at(-1));
  }

  /** Asks the API. */
  async api(path: string, method = "GET", body?: unknown): Promise<Response> {
    const line = this.lines.findLast((line) => line.msg === "API listening");
    const init = {
      client: this.#http,
      method,
      headers: { "content-type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
    };
    return await fetch(`http://${line?.address}${path}`, init as RequestInit); // the browser's type has no client
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

  /** Resolves with the log lines that match, once there are `times` of them; throws when there are more. */
  async loggedTimes(times: number, matches: (line: LogLine) => boolean): Promise<LogLine[]> {
    const found = () => this.lines.filter(matches);
    await this.logged(() => found().length >= times);
    assert.equal(found().length, times, this.text());
    return found();
  }

  /** Its log as text. */
  text(): string {
    return this.lines.map((line) => JSON.stringify(line)).join("\n");
  }

  /** Its configuration file. */
  get file(): string {
    return `${this.folder}/twixt.json`;
  }

  /** Its pid file, which a successor writes too. */
  get pidFile(): string {
    return `${this.folder}/twixt.pid`;
  }

  /** The process id in its pid file. */
  async pidInFile(): Promise<number> {
    return Number(await Deno.readTextFile(this.pidFile));
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
      if (this.#over) return; // the id may be another's by now
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
    if (this.predecessor === undefined) await Deno.remove(this.folder, { recursive: true });
  }
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
