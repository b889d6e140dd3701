/** Datagrams there and back: what each costs a proxy. */
import { freePort } from "../support/clients.ts";
import { type Arena, type Entrant, inTurn } from "./arena.ts";
import { Daemon } from "./daemon.ts";
import { cpuTimes, usedBetween } from "./kernel.ts";
import type { Proxy } from "./proxies.ts";
import type { DatagramSample } from "./results.ts";

/** Bytes of a datagram, as in HTTP/3. */
const BYTES = 1_200;
const CLIENTS = 32;
/** After so long a client counts its datagram as lost and sends another one. */
const LOST_MS = 500;
const SECONDS = 1;
const OVERHEAD_SECONDS = 0.4;
const MOST_ROUNDS = 4;
/** Longest wait for a proxy's first answer. */
const START_MS = 5_000;

/** What it is expected to take. */
export function datagramSeconds(proxies: readonly Proxy[], rounds: number): number {
  const count = proxies.filter(({ datagrams }) => datagrams).length;
  return count * (Math.min(rounds, MOST_ROUNDS) + 1.5) * (SECONDS + OVERHEAD_SECONDS);
}

/** Loads each proxy in turn, in rounds, of which the first doesn't count. */
export async function measureDatagrams(arena: Arena): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const backend = stack.use(new Echo());
  const runners: (Entrant & { daemon: Daemon; port: number })[] = [];
  for (const entrant of arena.entrants.filter(({ proxy }) => proxy.datagrams)) {
    const port = freePort();
    const command = await entrant.proxy.command(entrant.proxy.program!, {
      ...{ folder: arena.folder, port, datagrams: true },
      backends: [`127.0.0.1:${backend.port}`],
    });
    const daemon = stack.use(await Daemon.start(command, () => answers(port)));
    runners.push({ ...entrant, daemon, port });
  }
  for (let round = -1; round < Math.min(arena.rounds, MOST_ROUNDS); round++) {
    for (const { proxy, result, daemon, port } of inTurn(runners, round + 1)) {
      arena.progress.step(`datagrams, round ${round + 1}`, proxy.label, SECONDS + OVERHEAD_SECONDS);
      const before = await cpuTimes(daemon.pid);
      const load = await exchange(port);
      const cpu = usedBetween(before, await cpuTimes(daemon.pid));
      const cpuSeconds = cpu.reduce((sum, each) => sum + each, 0);
      if (round >= 0) result.datagrams.push({ ...load, cpuSeconds });
    }
  }
}

/** Clients that each send a datagram as soon as the one before has come back. */
async function exchange(port: number): Promise<Omit<DatagramSample, "cpuSeconds">> {
  const clients = Array.from({ length: CLIENTS }, () => new Client(port));
  const since = performance.now();
  await new Promise((resolve) => setTimeout(resolve, SECONDS * 1_000));
  await Promise.all(clients.map((client) => client.stop()));
  const sum = (of: (client: Client) => number) =>
    clients.reduce((sum, client) => sum + of(client), 0);
  return {
    trips: sum(({ trips }) => trips),
    lost: sum(({ lost }) => lost),
    seconds: (performance.now() - since) / 1_000,
  };
}

class Client {
  trips = 0;
  lost = 0;
  readonly #socket = loopback();
  readonly #payload = new Uint8Array(BYTES);
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #running: Promise<void>;
  #last = performance.now();
  #stopped = false;

  constructor(readonly port: number) {
    this.#timer = setInterval(() => this.#look(), LOST_MS);
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    const buffer = new Uint8Array(65_535);
    try {
      while (!this.#stopped) {
        await this.#send();
        await this.#socket.receive(buffer);
        this.#last = performance.now();
        this.trips++;
      }
    } catch {
      // it was closed while nothing came
    }
  }

  #send(): Promise<number> {
    const to: Deno.NetAddr = { transport: "udp", hostname: "127.0.0.1", port: this.port };
    return this.#socket.send(this.#payload, to);
  }

  #look(): void {
    if (performance.now() - this.#last < LOST_MS) return;
    this.lost++;
    void this.#send().catch(() => {}); // it may be closed by now
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopped = true;
    const closing = setTimeout(() => this.#socket.close(), LOST_MS);
    await this.#running;
    clearTimeout(closing);
    try {
      this.#socket.close();
    } catch {
      // it is
    }
  }
}

/** Sends back what it gets. */
class Echo implements AsyncDisposable {
  readonly #socket = loopback();
  readonly #running = this.#run();

  get port(): number {
    return (this.#socket.addr as Deno.NetAddr).port;
  }

  async #run(): Promise<void> {
    const buffer = new Uint8Array(65_535);
    try {
      for (;;) {
        const [data, from] = await this.#socket.receive(buffer);
        await this.#socket.send(data, from);
      }
    } catch {
      // it was closed
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await this.#running;
  }
}

function loopback(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}

/** Does a datagram come back through the proxy? */
async function answers(port: number): Promise<boolean> {
  const client = new Client(port);
  const end = performance.now() + START_MS;
  while (client.trips === 0 && performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await client.stop();
  return client.trips > 0;
}
