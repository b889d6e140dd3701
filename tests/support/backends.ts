/** Small servers for tests, in the test's own process. Each closes everything when it is disposed. */

/** A TCP server on loopback. */
export class TcpBackend implements AsyncDisposable {
  readonly #listener: Deno.TcpListener;
  readonly #open = new Set<Deno.TcpConn>();
  readonly #running: Promise<void>;
  /** Connections so far. */
  count = 0;

  /** @param serve Serves one connection; it is closed when that settles. */
  constructor(
    readonly serve: (conn: Deno.TcpConn) => Promise<void>,
    port = 0,
    readonly hostname = "127.0.0.1",
  ) {
    this.#listener = Deno.listen({ hostname, port, tcpBacklog: 4096 });
    this.#running = this.#accept();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  /** `127.0.0.1:port`, as a configuration has it. */
  get address(): string {
    const host = this.hostname.includes(":") ? `[${this.hostname}]` : this.hostname;
    return `${host}:${this.port}`;
  }

  /** Connections open now. */
  get open(): number {
    return this.#open.size;
  }

  async #accept(): Promise<void> {
    for (;;) {
      try {
        const conn = await this.#listener.accept();
        this.count++;
        this.#open.add(conn);
        void this.#one(conn);
      } catch (error) {
        if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) {
          return;
        }
      }
    }
  }

  async #one(conn: Deno.TcpConn): Promise<void> {
    try {
      await this.serve(conn);
    } catch {
      // the peer has gone, or the test is over
    }
    this.#close(conn);
  }

  #close(conn: Deno.TcpConn): void {
    if (!this.#open.delete(conn)) return;
    try {
      conn.close();
    } catch {
      // it was closed by the test
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const conn of this.#open) this.#close(conn);
    await this.#running;
  }
}

/** Sends back what it gets, and its FIN when it has got one. */
export function echo(port = 0): TcpBackend {
  return new TcpBackend(async (conn) => {
    const buffer = new Uint8Array(65_536);
    for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
      await writeAll(conn, buffer.subarray(0, n));
    }
  }, port);
}

/** Says its name and hangs up. */
export function greeter(name: string, port = 0): TcpBackend {
  return new TcpBackend((conn) => writeAll(conn, new TextEncoder().encode(name)), port);
}

/** Writes everything. */
export async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

/** Reads to the FIN. */
export async function readAll(conn: Deno.Conn): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const buffer = new Uint8Array(65_536);
  for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
    chunks.push(buffer.slice(0, n));
  }
  return new Uint8Array(await new Blob(chunks as Uint8Array<ArrayBuffer>[]).arrayBuffer());
}

/** Connects, reads to the FIN, and closes: what a greeter says. */
export async function ask(port: number): Promise<string> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  return new TextDecoder().decode(await readAll(conn));
}

/** Waits until `holds`, looking every 20 ms. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  withinMs = 10_000,
  what = "what the test waits for",
): Promise<void> {
  const end = performance.now() + withinMs;
  while (!await holds()) {
    if (performance.now() > end) throw new Error(`${what} didn't happen within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
