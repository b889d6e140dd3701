/** Clients for tests, and what they do in numbers. */

/** Connects to a port of this host. The caller closes it. */
export function connect(port: number, hostname = "127.0.0.1"): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname, port });
}

/** Does `task` for 0 to `count` - 1, `atOnce` at a time. Throws the first error, when all have ended. */
export async function times(
  count: number,
  atOnce: number,
  task: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const one = async () => {
    while (next < count) await task(next++);
  };
  const ended = await Promise.allSettled(Array.from({ length: atOnce }, one));
  for (const result of ended) if (result.status === "rejected") throw result.reason;
}

/** A session that went wrong. */
export type Failure = {
  /** `performance.now()` before it connected. */
  readonly startedAt: number;
  readonly error: unknown;
};

/** Clients that do the same again and again until they are stopped. */
export class Load implements AsyncDisposable {
  /** Sessions that went well. */
  served = 0;
  readonly failures: Failure[] = [];
  readonly #running: Promise<unknown>;
  #stopped = false;

  /**
   * @param clients How many at the same time.
   * @param session Throws when it goes wrong. It is bounded by what it talks to.
   * @param pauseMs Pause of each client between two sessions.
   */
  constructor(clients: number, readonly session: () => Promise<void>, readonly pauseMs = 0) {
    this.#running = Promise.all(Array.from({ length: clients }, () => this.#client()));
  }

  async #client(): Promise<void> {
    while (!this.#stopped) {
      const startedAt = performance.now();
      try {
        await this.session();
        this.served++;
      } catch (error) {
        this.failures.push({ startedAt, error });
      }
      await pause(this.pauseMs);
    }
  }

  /** Resolves when the sessions that are open have ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Waits. For what takes time by its nature, never for something to have happened. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Bytes that look random and are the same for the same seed. */
export function noise(seed: number, length: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(length / 4));
  let state = (seed * 2_654_435_761 + 1) >>> 0 || 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13; // xorshift32
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer, 0, length);
}

/** How a connection ended for its reader, and what came before. */
export type Ending = { readonly end: "fin" | "reset"; readonly bytes: number };

/** Reads and forgets until the connection ends. */
export async function untilEnd(conn: Deno.Conn): Promise<Ending> {
  const buffer = new Uint8Array(65_536);
  let bytes = 0;
  try {
    for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) bytes += n;
    return { end: "fin", bytes };
  } catch {
    return { end: "reset", bytes };
  }
}

/** Given out already: whoever has one may not listen yet. */
const GIVEN = new Set<number>();

/** A port that nobody listens on, outside the range from which the system takes ports by itself; never one twice. */
export function freePort(hostname = "127.0.0.1"): number {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if (GIVEN.has(port) && GIVEN.size < 10_000) continue;
    try {
      Deno.listen({ hostname, port }).close();
      GIVEN.add(port);
      return port;
    } catch {
      // somebody has it
    }
  }
}
