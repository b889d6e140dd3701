/** Sources of backends that run here, which a test makes answer, fail, hang or talk nonsense. */
import { HttpSource } from "./network_sources.ts";
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
  /** From now on it sends bytes that are nothing at all. */
  babble(): Promise<void>;
  /** From now on what it sends can be read, and is no list. */
  other(): Promise<void>;
  /** From now on whoever asks waits; absent where that can't be. */
  hang?(): Promise<void>;
  /** From now on whoever asks gets the beginning of an answer, and waits. */
  stall?(): Promise<void>;
  /** How often it was asked; absent where that shows nowhere. */
  readonly asked?: number;
};

const NOISE = Uint8Array.from({ length: 512 }, (_, i) => i * 89 & 255);
const PAGE = "<html>\n<body>\nsorry\n";

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

  /** These bytes. */
  async babble(bytes: Uint8Array = NOISE): Promise<void> {
    await Deno.writeFile(`${this.path}.new`, bytes);
    await Deno.rename(`${this.path}.new`, this.path);
  }

  other(): Promise<void> {
    return this.utter(PAGE);
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

  async babble(): Promise<void> {
    await this.#list.babble();
    await this.run(`exec cat ${this.#list.path}`);
  }

  other(): Promise<void> {
    return this.utter(PAGE);
  }

  fall(): Promise<void> {
    return this.run("echo it is down >&2; exit 3");
  }

  hang(): Promise<void> {
    return this.run("sleep 600 & sleep 600");
  }

  async stall(): Promise<void> {
    await this.run("echo 127.; sleep 600");
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

/** A web server with the list. `key` is the discovery's for its address; `print` makes a text of rows. */
export function pageSource(key: string, print: (rows: readonly string[]) => string): HttpSource {
  const options = (address: string) => ({ [key]: `http://${address}/list` });
  const other = key === "plaintext_endpoint" ? PAGE : undefined;
  return new HttpSource(options, (_, now) => ({ body: print(now().rows) }), other);
}

/** Rows as a list of objects. */
export function jsonOf(rows: readonly string[]): string {
  return JSON.stringify(rows.map((row) => {
    const [host, port] = row.split(":");
    return { host, port: Number(port) };
  }));
}

/** What speaks LXD's API over a socket of its own; rows are containers with an address and a key for the port. */
export class LxdSource extends HttpSource {
  readonly #folder: TemporaryFolder;
  readonly #socket: Deno.UnixListener;
  readonly #open = new Set<Deno.Conn>();
  readonly #pipes = new Set<Promise<void>>();
  readonly #relaying: Promise<void>;

  constructor() {
    const folder = new TemporaryFolder();
    const none = ["label_key", "label_value", "interface_key", "sni_key"];
    const options = {
      ...Object.fromEntries(none.map((key) => [`lxd_container_${key}`, ""])),
      lxd_server_address: `unix://${folder.path}/socket`,
      lxd_container_port: 0,
      lxd_container_port_key: "user.port",
      lxd_container_interface: "eth0",
      lxd_container_address_type: "IPv4",
    };
    super(() => options, (_, now) => ({ body: instancesOf(now().rows) }));
    this.#folder = folder;
    this.#socket = Deno.listen({ transport: "unix", path: `${folder.path}/socket` });
    this.#relaying = this.#relay();
  }

  /** The server itself listens on a port. */
  async #relay(): Promise<void> {
    for await (const client of this.#socket) {
      const server = await Deno.connect({ hostname: "127.0.0.1", port: this.port })
        .catch(() => client.close());
      if (!server) continue;
      for (const [from, to] of [[client, server], [server, client]] as const) {
        this.#open.add(from);
        const pipe = from.readable.pipeTo(to.writable).catch(() => {})
          .then(() => void this.#pipes.delete(pipe));
        this.#pipes.add(pipe);
      }
    }
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await super[Symbol.asyncDispose]();
    await this.#relaying;
    for (const conn of this.#open) {
      try {
        conn.close();
      } catch {
        // its pipe has closed it
      }
    }
    await Promise.all(this.#pipes);
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
