import assert from "node:assert/strict";
import { echo, type TcpBackend, writeAll } from "../support/backends.ts";
import { connect, freePort, Load, noise, pause } from "../support/clients.ts";
import { staticServer } from "../support/static_server.ts";
import { Twixt } from "../support/twixt.ts";

const RELOADS = 100;
const SECONDS = 60;
const LONG_SESSIONS = 6;

Deno.test("100 SIGHUP reloads in 60 s that change pools refuse and reset nobody", {
  timeout: 150_000,
}, async () => {
  await using stack = new AsyncDisposableStack();
  const backends = Array.from({ length: 5 }, () => stack.use(echo()));
  const ports = { web: freePort(), extra: freePort() };
  await using twixt = await Twixt.start({ config: configOf(0, backends, ports) });
  const before = await twixt.descriptors();

  const long = Array.from(
    { length: LONG_SESSIONS },
    (_, i) => stack.use(new LongSession(ports.web, i)),
  );
  await using load = new Load(5, () => exchange(ports.web), 10);
  const startedAt = performance.now();
  for (let reload = 1; reload <= RELOADS; reload++) {
    await pause(startedAt + reload * SECONDS * 1000 / RELOADS - performance.now());
    assert(await twixt.reload(configOf(reload, backends, ports)), `reload ${reload}`);
  }
  const seconds = (performance.now() - startedAt) / 1000;
  await load.stop();
  const moved = await Promise.all(long.map((session) => session.end()));
  const mib = Math.round(moved.reduce((sum, bytes) => sum + bytes) / (1 << 20));
  console.log(
    `${RELOADS} reloads in ${Math.round(seconds)} s: ${load.served} clients served ` +
      `(${Math.round(load.served / seconds)} a second), ${load.failures.length} not; ` +
      `${LONG_SESSIONS} long sessions moved ${mib} MiB`,
  );
  assert.deepEqual(load.failures, []);
  assert(load.served > 100 * SECONDS, "there was hardly any load");
  assert(seconds < SECONDS * 1.2, "the reloads took too long");
  assert(backends.every(({ count }) => count > 100), "some backend was hardly used");
  assert.deepEqual(twixt.lines.filter(({ level }) => !["info", "warning"].includes(level)), []);
  await twixt.descriptorsReturn(before);
});

/** Another list, strategy and limits each time, and now and then another server beside. */
function configOf(
  reload: number,
  backends: readonly TcpBackend[],
  ports: { readonly web: number; readonly extra: number },
): Record<string, unknown> {
  const first = reload % backends.length;
  const list = Array.from(
    { length: 1 + reload % 4 },
    (_, i) => `${backends[(first + i) % backends.length]!.address} weight=${1 + (reload + i) % 3}`,
  );
  const web = staticServer(list, {
    bind: `127.0.0.1:${ports.web}`,
    balance: ["weight", "roundrobin", "leastconn"][reload % 3],
    max_connections: [0, 500, 1_000][reload % 3],
    client_idle_timeout: ["0", "1m", "30s"][reload % 3],
    ...reload % 2 === 0 ? {} : {
      healthcheck: { kind: "ping", interval: "1s", timeout: "500ms" },
    },
  });
  const extra = staticServer(list, { bind: `127.0.0.1:${ports.extra}` });
  return { workers: 2, servers: reload % 4 < 2 ? { web } : { web, extra } };
}

async function exchange(port: number): Promise<void> {
  using conn = await connect(port);
  const bytes = noise(1, 100);
  await writeAll(conn, bytes);
  await conn.closeWrite();
  const { length } = await receive(conn, bytes);
  assert.equal(length, 100);
}

/** Reads to the FIN what should be these bytes. */
async function receive(conn: Deno.Conn, expected: Uint8Array): Promise<{ length: number }> {
  const buffer = new Uint8Array(65_536);
  let length = 0;
  for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
    for (let i = 0; i < n; i++, length++) {
      assert.equal(buffer[i], expected[length % expected.length], `byte ${length}`);
    }
  }
  return { length };
}

/** A session that stays open: it sends the same noise again and again, and compares what comes back. */
class LongSession implements AsyncDisposable {
  readonly #noise: Uint8Array<ArrayBuffer>;
  readonly #running: Promise<number>;
  #stopped = false;

  constructor(port: number, seed: number) {
    this.#noise = noise(seed, 65_521);
    this.#running = this.#run(port);
    this.#running.catch(() => {}); // end() tells
  }

  async #run(port: number): Promise<number> {
    using conn = await connect(port);
    let sent = 0;
    const writing = (async () => {
      for (; !this.#stopped; sent += this.#noise.length) {
        await writeAll(conn, this.#noise);
        await pause(50); // some 1.3 MB/s
      }
      await conn.closeWrite();
    })();
    const [{ length }] = await Promise.all([receive(conn, this.#noise), writing]);
    assert.equal(length, sent);
    return length;
  }

  /** Ends its side and waits for the rest. Returns how many bytes came back, all of them right. */
  end(): Promise<number> {
    this.#stopped = true;
    return this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end().catch(() => {});
  }
}
