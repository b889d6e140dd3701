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

/** A web server at an address that stays its own while it is down. */
export class PageSource implements LocalSource {
  readonly options: Readonly<Record<string, unknown>>;
  readonly #at: { readonly hostname: string; readonly port: number } | { readonly path: string };
  #server: Deno.HttpServer | undefined;
  #text: string | undefined = "";
  #waiting: (() => void)[] = [];

  /**
   * @param key The discovery's key for its address.
   * @param print Rows as it sends them.
   * @param path Of a unix socket, where it isn't on a port of loopback.
   * @param more Keys beside the address.
   */
  constructor(
    key: string,
    readonly print: (rows: readonly string[]) => string,
    path?: string,
    more: Readonly<Record<string, unknown>> = {},
  ) {
    using free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = free.addr;
    this.#at = path === undefined ? { hostname: "127.0.0.1", port } : { path };
    const url = path === undefined ? `http://127.0.0.1:${port}/list` : `unix://${path}`;
    this.options = { ...more, [key]: url };
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
    this.#server ??= Deno.serve(
      { ...this.#at, onListen: () => {} } as Deno.ServeTcpOptions,
      async () => {
        if (this.#text === undefined) await new Promise<void>((end) => this.#waiting.push(end));
        return new Response(this.#text ?? "");
      },
    );
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

/** What speaks LXD's API over a socket of its own; rows are containers with an address and a key for the port. */
export class LxdSource extends PageSource {
  readonly #folder: TemporaryFolder;

  constructor() {
    const folder = new TemporaryFolder();
    const none = ["label_key", "label_value", "interface_key", "sni_key"];
    const more = {
      ...Object.fromEntries(none.map((key) => [`lxd_container_${key}`, ""])),
      lxd_container_port: 0,
      lxd_container_port_key: "user.port",
      lxd_container_interface: "eth0",
      lxd_container_address_type: "IPv4",
    };
    super("lxd_server_address", instancesOf, `${folder.path}/socket`, more);
    this.#folder = folder;
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
  }
}

function instancesOf(rows: readonly string[]): string {
  const metadata = rows.map((row) => {
    const [address, port] = row.split(":");
    const network = { eth0: { addresses: [{ family: "inet", address, scope: "global" }] } };
    const config = { "user.port": port };
    return { name: row, status: "Running", type: "container", config, state: { network } };
  });
  return JSON.stringify({ type: "sync", metadata });
}
