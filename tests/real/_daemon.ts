/** Daemons of one test, in the foreground, with files of their own. */
import { until } from "../support/backends.ts";
import { type Argv, find, run, spawn } from "../support/real.ts";

/** Who daemons run as where we are root: PostgreSQL refuses root. */
const NOBODY = 65_534;

/** A folder for the files of daemons, which they may write to. */
export class Folder implements AsyncDisposable {
  private constructor(readonly path: string) {}

  static async make(): Promise<Folder> {
    const path = await Deno.makeTempDir({ prefix: "twixt-real-" });
    if (Deno.uid() === 0) await Deno.chown(path, NOBODY, NOBODY);
    return new Folder(path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/** The command that runs a program as nobody, where we are root, and that ends when this process does. */
export function unprivileged(argv: Argv): Argv {
  const user = Deno.uid() === 0 ? [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"] : [];
  return bound(argv, user);
}

/** The command that runs a program as who we are, and that ends when this process does. */
export function bound([program, ...args]: Argv, options: readonly string[] = []): Argv {
  return ["setpriv", ...options, "--pdeathsig=INT", "--", find(program) ?? program, ...args];
}

/** A daemon in the foreground. Dispose it: it gets SIGINT, and 10 s to end. */
export class Daemon implements AsyncDisposable {
  readonly #readers: readonly Promise<void>[];
  #said = "";

  private constructor(readonly child: Deno.ChildProcess) {
    this.#readers = [this.#read(child.stdout), this.#read(child.stderr)];
  }

  /** Starts it, see {@link unprivileged}; resolves when it accepts connections on a port of loopback, or is `ready`. */
  static async start(
    argv: Argv,
    ready: number | (() => Promise<boolean>),
    hostname = "127.0.0.1",
  ): Promise<Daemon> {
    const works = typeof ready === "number" ? () => accepts(ready, hostname) : ready;
    const daemon = new Daemon(spawn(argv, "null"));
    const ended = daemon.child.status.then(({ code }) => {
      throw new Error(`it ended with ${code}`);
    });
    try {
      await Promise.race([
        until(works, 20_000, "its first connection"),
        ended,
      ]);
    } catch (error) {
      await daemon[Symbol.asyncDispose]();
      throw new Error(`${argv.join(" ")} didn't start: ${error}\n${daemon.log}`);
    }
    ended.catch(() => {}); // a daemon that ends early fails the test by itself
    return daemon;
  }

  /** What it has written, at most its last million characters. */
  get log(): string {
    return this.#said;
  }

  async #read(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      this.#said = (this.#said + text).slice(-1_000_000);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const timer = setTimeout(() => this.#signal("SIGKILL"), 10_000);
    this.#signal("SIGINT");
    await this.child.status;
    clearTimeout(timer);
    await Promise.all(this.#readers);
  }

  #signal(signal: Deno.Signal): void {
    try {
      this.child.kill(signal);
    } catch {
      // it has ended already
    }
  }
}

async function accepts(port: number, hostname: string): Promise<boolean> {
  try {
    (await Deno.connect({ hostname, port })).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return false;
    throw error;
  }
}

/** A port that nobody has on loopback, for a daemon that can't be told to take any. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Waits for its turn among tests that share something of the host's. Closing the file lets the next begin. */
export async function onlyOne(what: string): Promise<Deno.FsFile> {
  const path = `${Deno.env.get("TMPDIR") ?? "/tmp"}/twixt-real-${what}.lock`;
  const file = await Deno.open(path, { create: true, write: true });
  await file.lock(true);
  return file;
}

/** Unmounts all that is mounted in a folder, the innermost first. */
export async function unmount(folder: string): Promise<void> {
  const list = `awk -v at=${folder}/ 'index($2, at) == 1 { print $2 }' /proc/mounts | tac`;
  await run(["sh", "-c", `${list} | xargs -r -n 1 umount`]);
}
