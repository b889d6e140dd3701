/** Backends that close, reset or say nothing while the client goes on. */
import assert from "node:assert/strict";
import net from "node:net";
import { ask, echo, greeter, TcpBackend, until, writeAll } from "../support/backends.ts";
import { connect, noise, pause, times, untilEnd } from "../support/clients.ts";
import { hasProc } from "../support/host.ts";
import { staticServer } from "../support/static_server.ts";
import { Twixt } from "../support/twixt.ts";
import { allSent } from "../support/unsent.ts";

const BYTES = 4 << 20;
const timeout = 60_000;

function start(
  backends: readonly (TcpBackend | string)[],
  more: Record<string, unknown> = {},
): Promise<Twixt> {
  return Twixt.start({ config: { workers: 2, servers: { web: staticServer(backends, more) } } });
}

/** Sends 4 MB and closes for good, in both directions, while the client is still sending. */
function hasty(): TcpBackend {
  return new TcpBackend(async (conn) => {
    const reading = untilEnd(conn);
    await writeAll(conn, noise(1, BYTES));
    // what its own kernel hasn't sent yet would be destroyed by the reset that answers the client's next byte
    await allSent(conn);
    conn.close();
    await reading;
  });
}

/** Sends until it can't any more, or is stopped. */
async function sendOn(conn: Deno.Conn, stop: AbortSignal): Promise<void> {
  const chunk = new Uint8Array(16_384);
  try {
    while (!stop.aborted) {
      await conn.write(chunk);
      await pause(1);
    }
  } catch {
    // the other side has gone
  }
}

Deno.test.each([
  { name: "at once", delayMs: 0, bytesPerSecond: Infinity },
  { name: "after a second", delayMs: 1_000, bytesPerSecond: Infinity },
  { name: "after a second, slowly", delayMs: 1_000, bytesPerSecond: 2 << 20 },
])("a client that sends on gets all 4 MB of a backend that closes, reading $name", {
  ignore: !hasProc,
  timeout,
}, async ({ name, delayMs, bytesPerSecond }) => {
  await using backend = hasty();
  await using twixt = await start([backend]);
  const before = await twixt.descriptors();
  const expected = noise(1, BYTES);
  let least = Infinity;
  await times(4, 2, async () => {
    using conn = await connect(twixt.port("web"));
    const stop = new AbortController();
    const sending = sendOn(conn, stop.signal);
    try {
      await pause(delayMs);
      least = Math.min(least, await receive(conn, expected, bytesPerSecond));
    } finally {
      stop.abort();
      await sending;
    }
  });
  console.log(`reading ${name}: ${least} bytes of ${BYTES} arrived at least`);
  assert.equal(least, BYTES);
  await twixt.descriptorsReturn(before);
});

/** How many of these bytes arrive, read no faster than that, until the connection ends. */
async function receive(
  conn: Deno.Conn,
  expected: Uint8Array,
  bytesPerSecond: number,
): Promise<number> {
  const buffer = new Uint8Array(65_536);
  const startedAt = performance.now();
  let bytes = 0;
  for (;;) {
    const length = await conn.read(buffer).catch(() => null);
    if (length === null) return bytes;
    for (let i = 0; i < length; i++) assert.equal(buffer[i], expected[bytes + i]);
    bytes += length;
    const aheadMs = bytes / bytesPerSecond * 1000 - (performance.now() - startedAt);
    if (aheadMs > 1) await pause(aheadMs);
  }
}

Deno.test("a client's connection ends at once when the backend resets its own", {
  timeout,
}, async () => {
  // closing with the client's bytes unread makes the kernel send a reset
  await using backend = new TcpBackend(async (conn) => {
    await conn.read(new Uint8Array(1));
  });
  await using twixt = await start([backend]);
  const before = await twixt.descriptors();
  let longest = 0;
  await times(50, 10, async () => {
    using conn = await connect(twixt.port("web"));
    await writeAll(conn, new Uint8Array(1_000));
    const since = performance.now();
    assert.equal((await untilEnd(conn)).bytes, 0);
    longest = Math.max(longest, performance.now() - since);
  });
  console.log(`50 sessions that the backend reset: ended after ${Math.round(longest)} ms at most`);
  assert(longest < 2_000);
  await twixt.descriptorsReturn(before);
});

Deno.test("a client is served by another backend when one resets before any byte", {
  timeout,
}, async () => {
  const { server, port } = await resetting();
  await using good = greeter("good");
  await using twixt = await start([`127.0.0.1:${port}`, good]);
  const before = await twixt.descriptors();
  try {
    for (let i = 0; i < 20; i++) assert.equal(await ask(twixt.port("web")), "good");
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
  await twixt.descriptorsReturn(before);
});

Deno.test("bursts of clients on a backend that resets cost nobody else anything", {
  timeout,
}, async () => {
  const { server, port } = await resetting();
  await using good = echo();
  await using twixt = await Twixt.start({
    config: {
      workers: 2,
      servers: { bad: staticServer([`127.0.0.1:${port}`]), good: staticServer([good]) },
    },
  });
  const before = await twixt.descriptors();
  const others = await Promise.all(Array.from({ length: 10 }, () => connect(twixt.port("good"))));
  try {
    await times(2_000, 20, async () => {
      using conn = await connect(twixt.port("bad"));
      await conn.write(new Uint8Array(1)).catch(() => 0); // it may be closed already
      await untilEnd(conn);
    });
    for (const conn of others) {
      await conn.write(new Uint8Array(1));
      assert.equal(await conn.read(new Uint8Array(1)), 1);
    }
  } finally {
    for (const conn of others) conn.close();
    await new Promise((resolve) => server.close(resolve));
  }
  assert.doesNotMatch(twixt.text(), /a worker died|a session failed/);
  await twixt.descriptorsReturn(before);
});

/** A server that resets what it accepts. The caller closes it. */
async function resetting(): Promise<{ server: net.Server; port: number }> {
  const server = net.createServer((socket) => socket.resetAndDestroy());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, port: (server.address() as net.AddressInfo).port };
}

Deno.test("a client that resets takes its backend connection with it", { timeout }, async () => {
  await using backend = echo();
  await using twixt = await start([backend]);
  const before = await twixt.descriptors();
  const port = twixt.port("web");
  await times(50, 10, () =>
    new Promise<void>((resolve, reject) => {
      const socket = net.connect(port, "127.0.0.1", () => socket.write("x"));
      socket.on("data", () => socket.resetAndDestroy());
      socket.on("error", reject);
      socket.on("close", () => resolve());
    }));
  await until(() => backend.open === 0, 5_000, "all connections to the backend have ended");
  assert.equal(backend.count, 50);
  await twixt.descriptorsReturn(before);
});

Deno.test("client_idle_timeout frees the clients of a backend that never answers", {
  timeout,
}, async () => {
  await using mute = new TcpBackend(async (conn) => {
    await untilEnd(conn); // takes everything, says nothing
  });
  await using twixt = await start([mute], { client_idle_timeout: "1s" });
  const before = await twixt.descriptors();
  await times(50, 50, async () => {
    using conn = await connect(twixt.port("web"));
    await writeAll(conn, new Uint8Array(100));
    const since = performance.now();
    assert.equal((await untilEnd(conn)).bytes, 0);
    const after = performance.now() - since;
    assert(after > 500 && after < 3_000, `after ${after} ms`);
  });
  await until(() => mute.open === 0);
  await twixt.descriptorsReturn(before);
});

Deno.test("three backends that swallow connections cost a client 10 s at most", {
  timeout,
}, async () => {
  await using stack = new AsyncDisposableStack();
  const holes = [];
  for (let i = 0; i < 3; i++) holes.push(stack.use(await blackHole()));
  await using twixt = await start(holes.map(({ address }) => address));
  const before = await twixt.descriptors();
  let longest = 0;
  await times(10, 10, async () => {
    const since = performance.now();
    using conn = await connect(twixt.port("web"));
    assert.equal((await untilEnd(conn)).bytes, 0);
    longest = Math.max(longest, performance.now() - since);
  });
  console.log(
    `three black holes: the client's connection was closed after ${Math.round(longest)} ms`,
  );
  assert(longest <= 10_500, `${longest} ms`); // the deadlines' own grain on top
  await twixt.descriptorsReturn(before);
});

Deno.test("a backend that swallows connections delays its clients by backend_connection_timeout", {
  timeout,
}, async () => {
  await using hole = await blackHole();
  await using good = greeter("good");
  await using twixt = await start([hole.address, good], { backend_connection_timeout: "500ms" });
  const before = await twixt.descriptors();
  let longest = 0;
  await times(20, 20, async () => {
    const since = performance.now();
    assert.equal(await ask(twixt.port("web")), "good");
    longest = Math.max(longest, performance.now() - since);
  });
  console.log(
    `a black hole and a timeout of 500ms: answered after ${Math.round(longest)} ms at most`,
  );
  assert(longest >= 450 && longest < 1_500, `${longest} ms`);
  await twixt.descriptorsReturn(before);
});

/** A port whose queue is full: the kernel drops every further SYN. */
async function blackHole(): Promise<AsyncDisposable & { readonly address: string }> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 1 });
  const { port } = listener.addr;
  const held: Deno.Conn[] = [];
  for (let full = false; !full;) {
    const signal = AbortSignal.timeout(300);
    try {
      held.push(await Deno.connect({ hostname: "127.0.0.1", port, signal }));
    } catch {
      full = true;
    }
  }
  return {
    address: `127.0.0.1:${port}`,
    [Symbol.asyncDispose]() {
      for (const conn of held) conn.close();
      listener.close();
      return Promise.resolve();
    },
  };
}
