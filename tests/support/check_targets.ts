/** What health checks ask, for many backends at once: a target whose behaviour a test changes. */
import { TcpBackend, writeAll } from "./backends.ts";
import { freePort, pause } from "./clients.ts";
import { FileSource } from "./local_sources.ts";

/** How a target behaves. */
export type Behaviour = "good" | "down" | "hang" | "garbage" | "flood";

/** A target of checks. */
export type CheckTarget = AsyncDisposable & {
  /** The port of backends. */
  readonly port: number;
  /** Keys of the check. */
  readonly keys: Readonly<Record<string, unknown>>;
  become(behaviour: Behaviour): Promise<void>;
};

/** A protocol as far as checks see it. */
export type Spoken = {
  readonly keys: Readonly<Record<string, unknown>>;
  /** What passes. */
  readonly good: string;
  /** What goes before an answer without end; what follows is x. */
  readonly flood?: string;
};

const HEAD = "HTTP/1.1 200 OK\r\nconnection: close\r\n";
const HTTP = {
  good: `${HEAD}content-length: 4\r\n\r\nfine`,
  flood: `${HEAD}content-length: 1073741824\r\n\r\n`,
};
const PROBE = { kind: "probe", probe_send: "PING", probe_recv: "PONG" };

/** What a TCP target is asked by. */
export const SPOKEN: Readonly<Record<string, Spoken>> = {
  ping: { keys: { kind: "ping" }, good: "" },
  "probe by TCP": { keys: { ...PROBE, probe_protocol: "tcp" }, good: "PONG" },
  http: { keys: { kind: "http", http_body_contains: "fine" }, ...HTTP },
  agent: { keys: { kind: "agent" }, good: "up\n" },
};

const GARBAGE = Uint8Array.from({ length: 512 }, (_, i) => i * 89 & 255);
const FLOOD_BYTES = 1 << 30;

/** A TCP server on all addresses of loopback. */
export class TcpTarget implements CheckTarget {
  readonly port: number = freePort("0.0.0.0");
  readonly keys: Readonly<Record<string, unknown>>;
  #server: TcpBackend | undefined;
  #behaviour: Behaviour = "down";

  constructor(readonly spoken: Spoken) {
    const agent = spoken.keys["kind"] === "agent" ? { agent_port: this.port } : {};
    this.keys = { ...spoken.keys, ...agent };
  }

  async become(behaviour: Behaviour): Promise<void> {
    this.#behaviour = behaviour;
    await this.#server?.[Symbol.asyncDispose]();
    this.#server = behaviour === "down"
      ? undefined
      : new TcpBackend((conn) => this.#serve(conn), this.port, "0.0.0.0");
  }

  async #serve(conn: Deno.Conn): Promise<void> {
    const { good, flood = "", keys } = this.spoken;
    const buffer = new Uint8Array(4_096);
    if (keys["kind"] === "http") await conn.read(buffer); // Deno 2.6 takes no answer before its question
    if (this.#behaviour === "garbage") await writeAll(conn, GARBAGE);
    if (this.#behaviour === "good") await writeAll(conn, new TextEncoder().encode(good));
    if (this.#behaviour === "flood") {
      await writeAll(conn, new TextEncoder().encode(flood));
      const piece = new Uint8Array(65_536).fill(120);
      for (let sent = 0; sent < FLOOD_BYTES; sent += piece.length) {
        await writeAll(conn, piece);
        await pause(1); // the clients of the test live in this process, too
      }
    }
    while (await conn.read(buffer) !== null); // until the client leaves: nothing is lost to a reset
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.become("down");
  }
}

/** One UDP socket for all backends: answers from another address than was asked wouldn't count. */
export class UdpTarget implements CheckTarget {
  readonly port: number = freePort();
  readonly keys: Readonly<Record<string, unknown>>;
  #behaviour: Behaviour = "down";
  readonly #socket: Deno.DatagramConn;
  readonly #running: Promise<void>;

  constructor() {
    this.#socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    const { port } = this.#socket.addr as Deno.NetAddr;
    this.keys = { ...PROBE, probe_protocol: "udp", addr: "127.0.0.1", port };
    this.#running = this.#serve();
  }

  become(behaviour: Behaviour): Promise<void> {
    this.#behaviour = behaviour;
    return Promise.resolve();
  }

  async #serve(): Promise<void> {
    const buffer = new Uint8Array(65_535);
    const good = new TextEncoder().encode("PONG");
    const large = new Uint8Array(60_000).fill(120);
    for (;;) {
      try {
        const [, from] = await this.#socket.receive(buffer);
        const answers = { good: [good], garbage: [GARBAGE], flood: Array(20).fill(large) };
        const { [this.#behaviour as "good"]: all = [] } = answers as Partial<typeof answers>;
        for (const answer of all) await this.#socket.send(answer, from);
      } catch (error) {
        if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) {
          return; // it was closed
        }
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await this.#running;
  }
}

/** A program; `mark` is among the arguments of all its processes. */
export class ProgramTarget implements CheckTarget {
  readonly port: number = freePort();
  readonly mark: string = `twixt-check-${crypto.randomUUID()}`;
  readonly #script = new FileSource();
  readonly keys: Readonly<Record<string, unknown>> = {
    kind: "exec",
    exec_command: ["sh", this.#script.path, this.mark],
    exec_expected_positive_output: "fine",
  };

  async become(behaviour: Behaviour): Promise<void> {
    const scripts: Readonly<Record<Behaviour, string>> = {
      good: "echo fine",
      down: "kill -SEGV $$",
      hang: `sh -c 'sleep 600; : ${this.mark}' & sleep 600`,
      garbage: `sh -c 'sleep 600; : ${this.mark}' & echo nobody; exit 3`,
      flood: "exec head -c 1073741824 /dev/zero",
    };
    await this.#script.utter(scripts[behaviour]);
    await pause(100); // a shell may still read the last one
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#script[Symbol.asyncDispose]();
  }
}
