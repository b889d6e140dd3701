/** Sources of backends that run here, which a test makes answer, fail, hang or talk nonsense. */
import { TemporaryFolder } from "./temporary_folder.ts";

/** A source that a discovery asks. */
export type LocalSource = AsyncDisposable & {
  /** The discovery's keys. */
  readonly options: Readonly<Record<string, unknown>>;
  /** From now on it names these, as `host:port`. */
  say(rows: readonly string[]): Promise<void>;
  /** From now on it isn't there. */
  fall(): Promise<void>;
  /** From now on it sends this. */
  utter(text: string): Promise<void>;
  /** From now on whoever asks waits; absent where that can't be. */
  hang?(): Promise<void>;
};

/** A file that is replaced as a whole. */
export class FileSource implements LocalSource {
  readonly folder: TemporaryFolder = new TemporaryFolder();
  readonly path: string = `${this.folder.path}/list`;

  get options(): Readonly<Record<string, unknown>> {
    return { file_path: this.path };
  }

  say(rows: readonly string[]): Promise<void> {
    return this.utter(rows.join("\n"));
  }

  async utter(text: string): Promise<void> {
    await Deno.writeTextFile(`${this.path}.new`, text);
    await Deno.rename(`${this.path}.new`, this.path);
  }

  async fall(): Promise<void> {
    await Deno.remove(this.path).catch(() => {}); // it has gone already
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.folder[Symbol.asyncDispose]();
  }
}

/** A program that prints a file. */
export class ProgramSource implements LocalSource {
  readonly #list = new FileSource();
  /** A script; `$0` is its path. */
  readonly #script = new FileSource();

  get options(): Readonly<Record<string, unknown>> {
    return { exec_command: ["sh", this.#script.path] };
  }

  say(rows: readonly string[]): Promise<void> {
    return this.utter(rows.join("\n"));
  }

  async utter(text: string): Promise<void> {
    await this.#list.utter(text);
    await this.run(`exec cat ${this.#list.path}`);
  }

  fall(): Promise<void> {
    return this.run("echo it is down >&2; exit 3");
  }

  hang(): Promise<void> {
    return this.run("sleep 600 & sleep 600");
  }

  /** From now on it runs this. */
  run(script: string): Promise<void> {
    return this.#script.utter(script);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#list[Symbol.asyncDispose]();
    await this.#script[Symbol.asyncDispose]();
  }
}

/** A web server, on a port that stays its own while it is down. */
export class PageSource implements LocalSource {
  readonly options: Readonly<Record<string, unknown>>;
  readonly #port: number;
  #server: Deno.HttpServer | undefined;
  #text: string | undefined = "";
  #waiting: (() => void)[] = [];

  /**
   * @param key The discovery's key for its address.
   * @param print Rows as it sends them.
   */
  constructor(key: string, readonly print: (rows: readonly string[]) => string) {
    using free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#port = free.addr.port;
    this.options = { [key]: `http://127.0.0.1:${this.#port}/list` };
  }

  say(rows: readonly string[]): Promise<void> {
    return this.utter(this.print(rows));
  }

  async utter(text: string): Promise<void> {
    await this.#answer(text);
  }

  async hang(): Promise<void> {
    await this.#answer(undefined);
  }

  async fall(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.#release();
    await server?.shutdown();
  }

  // deno-lint-ignore require-await
  async #answer(text: string | undefined): Promise<void> {
    this.#text = text;
    this.#release();
    const options = { hostname: "127.0.0.1", port: this.#port, onListen: () => {} };
    this.#server ??= Deno.serve(options, async () => {
      if (this.#text === undefined) await new Promise<void>((end) => this.#waiting.push(end));
      return new Response(this.#text ?? "");
    });
  }

  #release(): void {
    for (const end of this.#waiting.splice(0)) end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.fall();
  }
}

/** Rows as a list of objects. */
export function jsonOf(rows: readonly string[]): string {
  return JSON.stringify(rows.map((row) => {
    const [host, port] = row.split(":");
    return { host, port: Number(port) };
  }));
}
