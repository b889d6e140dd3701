/**
 * A client or a backend in a network of its own, as a program: `backend NAME PORT`, or `client`, which does what lines of
 * JSON on its standard input say and answers each with a line. It ends with its input.
 */
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Says who it is and whom it sees, then says everything back. */
async function serveTcp(name: string, listener: Deno.Listener<Deno.TcpConn>): Promise<void> {
  for await (const conn of listener) {
    const { hostname } = conn.remoteAddr as Deno.NetAddr;
    const greet = conn.write(encoder.encode(`${name} ${unmapped(hostname)}\n`));
    void greet.then(() => conn.readable.pipeTo(conn.writable)).catch(() => {});
  }
}

async function serveUdp(name: string, socket: Deno.DatagramConn): Promise<void> {
  for await (const [, from] of socket) {
    const text = `${name} ${unmapped((from as Deno.NetAddr).hostname)}`;
    await socket.send(encoder.encode(text), from).catch(() => {});
  }
}

function unmapped(address: string): string {
  return address.replace(/^::ffff:/, "");
}

type Place = { readonly hostname: string; readonly port: number };

async function readText(conn: Deno.TcpConn): Promise<string> {
  const buffer = new Uint8Array(1024);
  const count = await conn.read(buffer);
  if (count === null) throw new Error("closed");
  return decoder.decode(buffer.subarray(0, count)).trim();
}

/** One short session; what the backend has said. */
async function session(place: Place, limitMs = 2_000): Promise<string> {
  using conn = await Deno.connect({ ...place, signal: AbortSignal.timeout(limitMs) });
  return await readText(conn);
}

async function many(count: number, one: () => Promise<string>): Promise<Record<string, number>> {
  const answers: Record<string, number> = {};
  let left = count;
  const work = async () => {
    while (left-- > 0) {
      const answer = await one().catch((error) => error.name as string);
      answers[answer] = (answers[answer] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: 4 }, work));
  return answers;
}

/** One datagram and its answer, from a socket of its own or of one that stays. */
async function exchange(place: Place, socket?: Deno.DatagramConn): Promise<string> {
  const hostname = place.hostname.includes(":") ? "::" : "0.0.0.0";
  const own = socket ?? Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
  try {
    const received = own.receive(new Uint8Array(1024));
    await own.send(encoder.encode("x"), { transport: "udp", ...place });
    const late = new Promise<never>((_, reject) => setTimeout(reject, 500, new Error("late")));
    const [data] = await Promise.race([received, late]);
    return decoder.decode(data);
  } finally {
    if (socket === undefined) own.close();
  }
}

/** Sessions without a pause until it is stopped. */
class Load {
  served = 0;
  readonly failures: string[] = [];
  #stopped = false;
  readonly #running: Promise<unknown>;

  constructor(readonly place: Place) {
    this.#running = Promise.all([this.#work(), this.#work()]);
  }

  async #work(): Promise<void> {
    while (!this.#stopped) {
      await session(this.place).then(
        () => this.served++,
        (error) => this.failures.push(`${error}`),
      );
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  async stop(): Promise<{ served: number; failures: string[] }> {
    this.#stopped = true;
    await this.#running;
    return { served: this.served, failures: this.failures.slice(0, 10) };
  }
}

class Client {
  #held: Deno.TcpConn | undefined;
  #socket: Deno.DatagramConn | undefined;
  #load: Load | undefined;

  readonly commands: Readonly<Record<string, (place: Place, count: number) => unknown>> = {
    tcp: (place, count) => many(count, () => session(place)),
    udp: (place, count) => many(count, () => exchange(place)),
    same: (place) => {
      this.#socket ??= Deno.listenDatagram({ transport: "udp", hostname: "0.0.0.0", port: 0 });
      return exchange(place, this.#socket);
    },
    hold: async (place) => readText(this.#held = await Deno.connect(place)),
    say: async () => {
      await this.#held!.write(encoder.encode("hello\n"));
      return await readText(this.#held!);
    },
    leave: () => this.#held!.close(),
    load: (place) => void (this.#load = new Load(place)),
    unload: () => this.#load!.stop(),
  };

  async run(): Promise<void> {
    let rest = "";
    for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        const { what, place, count } = JSON.parse(line);
        const answer = await Promise.resolve().then(() => this.commands[what]!(place, count))
          .then((value) => ({ value: value ?? null }), (error) => ({ error: String(error.name) }));
        console.log(JSON.stringify(answer));
      }
    }
    Deno.exit(0);
  }
}

if (import.meta.main) {
  const [role, name = "", text] = Deno.args;
  if (role === "client") await new Client().run();
  else {
    const place = { hostname: "::", port: Number(text) };
    const listener = Deno.listen({ ...place, tcpBacklog: 4096 });
    const socket = Deno.listenDatagram({ ...place, transport: "udp" });
    console.log("ready");
    await Promise.all([serveTcp(name, listener), serveUdp(name, socket)]);
  }
}
