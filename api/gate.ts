import { classify } from "../lib/net/errors.ts";
import type { Listen, Listener, ListenOptions } from "./listen.ts";

/** Connections may be silent for so long, half a request's header included. */
const IDLE_MS = 60_000;
/** When the gate is full, one that has been silent for so long makes room for another. */
const EVICT_MS = 1_000;
const SWEEP_MS = 5_000;
/** Once the server has ended, its last answers have so long to pass. */
const LAST_BYTES_MS = 500;
const ACCEPT_PAUSE_MS = 50;

/**
 * `Deno.serve` behind a gate. The runtime's server has no limit of connections and waits for half a request for
 * ever, so callers who send nothing could take every descriptor of the process. The gate accepts in its place,
 * bounded in number and silence, and hops over loopback to the real server, which learns the caller's address
 * from the hop's port.
 *
 * @param most Connections at the same time; each takes three descriptors.
 * @param longestMs How long a connection may be open, whoever speaks.
 */
export function gatedServe(most: number, longestMs = Infinity): Listen {
  return (options, handler) => new Gate(options, handler, most, longestMs);
}

/** One caller's connection and its hop. */
class Passage {
  readonly openedAt = performance.now();
  touchedAt = this.openedAt;
  #open = 2;

  constructor(
    readonly caller: Deno.TcpConn,
    readonly hop: Deno.TcpConn,
    readonly onClosed: (passage: Passage) => void,
  ) {
    void this.#copy(caller, hop);
    void this.#copy(hop, caller);
  }

  async #copy(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(8192);
    try {
      for (let n = await from.read(buffer); n !== null; n = await from.read(buffer)) {
        this.touchedAt = performance.now();
        for (let at = 0; at < n;) at += await to.write(buffer.subarray(at, n));
      }
      await to.closeWrite();
      if (from === this.hop) this.close(); // the server has said its last word
    } catch {
      this.close(); // one side has gone, so the other may go
    }
    if (--this.#open === 0) this.close();
  }

  close(): void {
    this.#open = 0;
    for (const conn of [this.caller, this.hop]) {
      try {
        conn.close();
      } catch {
        // it is closed already
      }
    }
    this.onClosed(this);
  }
}

class Gate implements Listener {
  readonly addr: Deno.NetAddr;
  readonly finished: Promise<void>;
  readonly #listener: Deno.TcpListener;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  /** Who came through which hop. */
  readonly #callers = new Map<number, Deno.NetAddr>();
  readonly #passages = new Set<Passage>();
  readonly #sweep: ReturnType<typeof setInterval>;
  /** Connections that have come in, those whose hop isn't made yet included. */
  #inside = 0;
  #stopped = false;

  constructor(
    options: ListenOptions,
    handler: Deno.ServeHandler<Deno.NetAddr>,
    readonly most: number,
    readonly longestMs: number,
  ) {
    this.#listener = Deno.listen({
      hostname: options.hostname ?? "0.0.0.0",
      port: options.port ?? 0,
    });
    try {
      this.#server = Deno.serve({ ...options, hostname: "127.0.0.1", port: 0 }, (request, info) => {
        const remoteAddr = this.#callers.get(info.remoteAddr.port);
        // the inner port is for the gate alone
        if (remoteAddr === undefined) return new Response(null, { status: 403 });
        return handler(request, { ...info, remoteAddr });
      });
    } catch (error) {
      this.#listener.close();
      throw error;
    }
    this.addr = this.#listener.addr;
    this.#sweep = setInterval(() => this.#closeSilent(IDLE_MS), SWEEP_MS);
    void this.#accept();
    this.finished = this.#server.finished.finally(() => this.#end());
  }

  async shutdown(): Promise<void> {
    this.#stop();
    await this.#server.shutdown();
    await this.finished;
  }

  async #emptied(): Promise<void> {
    const end = performance.now() + LAST_BYTES_MS;
    while (this.#passages.size > 0 && performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  #stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#listener.close();
  }

  /** The server has ended, as it was told or by itself: nothing may be left. */
  async #end(): Promise<void> {
    this.#stop();
    await this.#emptied();
    clearInterval(this.#sweep);
    for (const passage of this.#passages) passage.close();
  }

  #closeSilent(ms: number): void {
    const now = performance.now();
    for (const passage of this.#passages) {
      const { openedAt, touchedAt } = passage;
      if (now - touchedAt > ms || now - openedAt > this.longestMs) passage.close();
    }
  }

  async #accept(): Promise<void> {
    while (!this.#stopped) {
      try {
        void this.#pass(await this.#listener.accept());
      } catch (error) {
        if (this.#stopped) return;
        if (classify(error) === "reset") continue; // it left before we came
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_PAUSE_MS));
      }
    }
  }

  async #pass(caller: Deno.TcpConn): Promise<void> {
    if (this.#inside >= this.most) this.#closeSilent(EVICT_MS);
    if (this.#inside >= this.most) return caller.close();
    this.#inside++; // before its hop stands, or a burst would pass
    try {
      const hop = await Deno.connect({ hostname: "127.0.0.1", port: this.#server.addr.port });
      const { port } = hop.localAddr;
      this.#callers.set(port, caller.remoteAddr);
      this.#passages.add(
        new Passage(caller, hop, (passage) => {
          if (!this.#passages.delete(passage)) return; // told before
          this.#callers.delete(port);
          this.#inside--;
        }),
      );
    } catch {
      this.#inside--;
      caller.close(); // no descriptor for the hop, or the server is being replaced
    }
  }
}
