/** Clients and backends in processes of their own, so that what they do doesn't hold up the test or each other. */
import { fromFileUrl } from "../paths.ts";
import { eachLine, wrapped } from "../process.ts";
import type { BadReport } from "./bad_clients.ts";
import type { EchoesReady, EchoesReport } from "./echoes.ts";
import type { LongReport } from "./long_clients.ts";
import type { ShortReport } from "./short_clients.ts";
import type { TlsReport } from "./tls_clients.ts";
import type { FloodReport } from "./udp_flood.ts";

/** How long it may take to its first line. */
const READY_MS = 20_000;
/** How long it may take to its last line. */
const END_MS = 45_000;

/** A running one. Disposing it kills it, should it still run. */
export class LoadProcess<Ready, Report> implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #output: Promise<void>;
  readonly #lines: string[] = [];
  #onLine = () => {};
  #ended = false;

  private constructor(argv: readonly string[], readonly name: string) {
    this.#child = new Deno.Command(argv[0]!, {
      args: argv.slice(1),
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#output = eachLine(this.#child.stdout, (line) => {
      this.#lines.push(line);
      this.#onLine();
    });
    void this.#output.then(() => {
      this.#ended = true;
      this.#onLine();
    });
  }

  /**
   * Starts a module of this folder. Gives it when it is ready, with what it says then.
   *
   * @param wrap As for `spawn()`: a shell command that runs it.
   */
  static async start<Ready, Report>(
    name: string,
    args: readonly (number | string)[],
    wrap: string | undefined,
  ): Promise<LoadProcess<Ready, Report> & { readonly ready: Ready }> {
    const file = fromFileUrl(new URL(`./${name}.ts`, import.meta.url));
    const flags = ["run", "--quiet", "--no-prompt", "--no-check", "--unstable-net", "-N", "-R"];
    const command = [Deno.execPath(), ...flags, file, ...args.map(String)];
    const process = new LoadProcess<Ready, Report>(wrapped(command, wrap), name);
    try {
      return Object.assign(process, { ready: await process.#line<Ready>(0, READY_MS) });
    } catch (error) {
      await process[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Tells it to end. Resolves with its figures. */
  async stop(withinMs = END_MS): Promise<Report> {
    await this.#child.stdin.close();
    return await this.#line<Report>(1, withinMs);
  }

  /** What it says on a line. */
  async #line<T>(index: number, withinMs: number): Promise<T> {
    const end = performance.now() + withinMs;
    const timer = setTimeout(() => this.#onLine(), withinMs + 1);
    while (this.#lines.length <= index && !this.#ended && performance.now() < end) {
      await new Promise<void>((resolve) => this.#onLine = resolve);
    }
    clearTimeout(timer);
    const line = this.#lines[index];
    if (line === undefined) {
      throw new Error(`${this.name} ended, or said nothing within ${withinMs} ms`);
    }
    return JSON.parse(line);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // it has ended
    }
    await this.#child.status;
    await this.#output;
    await this.#child.stdin.close().catch(() => {}); // it was closed to end it
  }
}

/** Starts so many echo backends in one process; `ready.ports` are theirs. */
export function startEchoes(count: number, wrap?: string) {
  return LoadProcess.start<EchoesReady, EchoesReport>("echoes", [count], wrap);
}

/** Starts clients that come, so many a second, for 100 bytes and back. */
export function startShortClients(port: number, rate: number, wrap?: string) {
  return LoadProcess.start<unknown, ShortReport>("short_clients", [port, rate], wrap);
}

/** Starts so many clients that stay; they are ready when bytes have moved over each connection. */
export function startLongClients(port: number, count: number, wrap?: string) {
  return LoadProcess.start<unknown, LongReport>("long_clients", [port, count], wrap);
}

/** Starts clients of a TLS server that come, so many a second, for a full handshake and a byte back. */
export function startTlsClients(port: number, rate: number, ca: string, wrap?: string) {
  return LoadProcess.start<unknown, TlsReport>("tls_clients", [port, rate, ca], wrap);
}

/** Starts clients that a TLS server gets nothing from; they come again and again. */
export function startBadClients(
  port: number,
  { silent, halfway, deaf }: { silent: number; halfway: number; deaf: number },
  ca: string,
) {
  const args = [port, silent, halfway, deaf, ca];
  return LoadProcess.start<unknown, BadReport>("bad_clients", args, "ulimit -n 16384 && exec {}");
}

/** Gets ready to send so many datagrams of so many sources; `stop()` lets it begin, and gives what it has sent. */
export function startFlood(port: number, datagrams: number, sources: number) {
  return LoadProcess.start<unknown, FloodReport>(
    "udp_flood",
    [port, datagrams, sources],
    undefined,
  );
}
