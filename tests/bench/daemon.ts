/** Programs that a run starts and ends: in the foreground, with files of their own. */
import { find } from "../support/real.ts";
import { pause } from "../support/clients.ts";

/** What is started. */
export type Command = {
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
};

/** Longest time to its first connection, and longest end after SIGTERM. */
const START_MS = 10_000;
const END_MS = 3_000;
/** How much of its output is kept for an error message. */
const KEPT_CHARACTERS = 4_000;

/** A running program. Dispose it: it is ended, by force if need be. */
export class Daemon implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #readers: readonly Promise<void>[];
  #said = "";

  private constructor({ argv, env }: Command) {
    // should this process be killed, the kernel ends what it has started
    const setpriv = find("setpriv");
    const bound = setpriv === undefined ? argv : [setpriv, "--pdeathsig=TERM", "--", ...argv];
    this.#child = new Deno.Command(bound[0]!, {
      args: bound.slice(1),
      env: { ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#readers = [
      this.#read(this.#child.stdout),
      this.#read(this.#child.stderr),
    ];
  }

  /**
   * Starts it; resolves as soon as a port of loopback accepts connections, or `ready` says so.
   * @throws Error with what it has said.
   */
  static async start(command: Command, ready: number | (() => Promise<boolean>)): Promise<Daemon> {
    const works = typeof ready === "number" ? () => accepts(ready) : ready;
    const daemon = new Daemon(command);
    let ended = false;
    void daemon.#child.status.then(() => ended = true);
    const until = performance.now() + START_MS;
    while (!await works()) {
      if (!ended && performance.now() < until) {
        await pause(1);
        continue;
      }
      await daemon[Symbol.asyncDispose]();
      const why = ended ? "it ended" : `nobody answers after ${START_MS / 1000} s`;
      throw new Error(`${command.argv.join(" ")}: ${why}\n${daemon.#said}`);
    }
    return daemon;
  }

  /** Its process, whose descendants are its as well. */
  get pid(): number {
    return this.#child.pid;
  }

  async #read(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      this.#said = (this.#said + text).slice(-KEPT_CHARACTERS);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const signal = (name: Deno.Signal) => {
      try {
        this.#child.kill(name);
      } catch {
        // it has ended already
      }
    };
    signal("SIGTERM");
    // a second one tells who waits for open sessions that nobody else does
    const timers = [
      setTimeout(signal, 100, "SIGTERM"),
      setTimeout(signal, END_MS, "SIGKILL"),
    ];
    await this.#child.status;
    for (const timer of timers) clearTimeout(timer);
    await Promise.all(this.#readers);
  }
}

async function accepts(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false; // ConnectionRefused
  }
}
