/** What clients meet, two workers serving them. */
import assert from "node:assert/strict";
import { ask, greeter, readAll, TcpBackend, until, writeAll } from "../../support/backends.ts";
import { connect, freePort, noise, pause, times, untilEnd } from "../../support/clients.ts";
import { hasIPv6 } from "../../support/host.ts";
import { staticServer } from "../../support/static_server.ts";
import { Twixt } from "../../support/twixt.ts";

const timeout = 30_000;

/** Twixt with one server, `web`. */
function start(
  backends: readonly (TcpBackend | string)[],
  more: Record<string, unknown> = {},
): Promise<Twixt> {
  return Twixt.start({ config: { workers: 2, servers: { web: staticServer(backends, more) } } });
}

Deno.test("a session goes on when the client has ended its side, byte for byte", {
  timeout,
}, async () => {
  await using backend = new TcpBackend(async (conn) => {
    const bytes = await readAll(conn); // it answers when the client has ended
    await writeAll(conn, bytes.reverse());
  });
  await using twixt = await start([backend]);
  const before = await twixt.descriptors();
  await times(20, 4, async (i) => {
    using conn = await connect(twixt.port("web"));
    const bytes = noise(i, i * 9_973);
    await writeAll(conn, bytes);
    await conn.closeWrite();
    assert.deepEqual(await readAll(conn), bytes.reverse());
  });
  await twixt.descriptorsReturn(before);
});

Deno.test("a session goes on when the backend has ended its side, byte for byte", {
  timeout,
}, async () => {
  const got = new Map<number, Uint8Array>();
  await using backend = new TcpBackend(async (conn) => {
    await writeAll(conn, noise(7, 70_001));
    await conn.closeWrite();
    const bytes = await readAll(conn);
    got.set(bytes.length, bytes);
  });
  await using twixt = await start([backend]);
  const before = await twixt.descriptors();
  await times(20, 4, async (i) => {
    using conn = await connect(twixt.port("web"));
    assert.deepEqual(await readAll(conn), noise(7, 70_001));
    const bytes = noise(i, i * 9_973);
    await writeAll(conn, bytes);
    await conn.closeWrite();
    await until(() => got.has(bytes.length));
    assert.deepEqual(got.get(bytes.length), bytes);
  });
  await twixt.descriptorsReturn(before);
});

Deno.test("a client is served by another backend when one refuses its connection", {
  timeout,
}, async () => {
  await using green = greeter("green");
  const dead = `127.0.0.1:${freePort()}`;
  await using twixt = await start([dead, green]);
  const before = await twixt.descriptors();
  for (let i = 0; i < 20; i++) assert.equal(await ask(twixt.port("web")), "green");
  const line = await twixt.logged(({ msg }) => msg === "can't connect to a backend");
  assert.equal(line.backend, dead);
  assert.equal(line.why, "connection refused");
  await twixt.descriptorsReturn(before);
});

Deno.test(
  "a client's connection is closed when the pool has no backends, and the process goes on",
  {
    timeout,
  },
  async () => {
    await using twixt = await start([]);
    const before = await twixt.descriptors();
    for (let i = 0; i < 3; i++) assert.equal(await ask(twixt.port("web")), "");
    await twixt.logged(({ msg }) => msg === "clients were refused");
    await twixt.descriptorsReturn(before);
    twixt.signal("SIGTERM");
    assert.equal(await twixt.ended(), 0);
  },
);

Deno.test("a client's connection is closed when all backends are down, until one is back", {
  timeout,
}, async () => {
  const port = freePort();
  await using twixt = await start([`127.0.0.1:${port}`, `127.0.0.1:${freePort()}`], {
    healthcheck: { kind: "ping", interval: "200ms", timeout: "200ms" },
  });
  const before = await twixt.descriptors();
  await until(() => twixt.lines.filter(({ msg }) => msg === "backend is down").length === 2);
  for (let i = 0; i < 3; i++) assert.equal(await ask(twixt.port("web")), "");
  await using _back = greeter("back", port);
  await twixt.logged(({ msg }) => msg === "backend is live");
  assert.equal(await ask(twixt.port("web")), "back");
  await twixt.descriptorsReturn(before);
});

Deno.test("access rules keep clients away, an IPv4 client of a dual-stack server included", {
  timeout,
}, async () => {
  await using green = greeter("green");
  const denied = { access: { default: "allow", rules: ["deny 127.0.0.0/8"] } };
  const allowed = { access: { default: "deny", rules: ["allow 127.0.0.1"] } };
  const dual = hasIPv6 ? { bind: ":0" } : {};
  await using twixt = await Twixt.start({
    config: {
      servers: {
        denied: staticServer([green], denied),
        dual_denied: staticServer([green], { ...denied, ...dual }),
        allowed: staticServer([green], allowed),
        dual_allowed: staticServer([green], { ...allowed, ...dual }),
      },
    },
  });
  const before = await twixt.descriptors();
  for (const server of ["denied", "dual_denied"]) {
    using conn = await connect(twixt.port(server));
    assert.equal((await untilEnd(conn)).bytes, 0, server);
  }
  assert.equal(green.count, 0);
  for (const server of ["allowed", "dual_allowed"]) {
    assert.equal(await ask(twixt.port(server)), "green", server);
  }
  await twixt.descriptorsReturn(before);
});

Deno.test("max_connections holds across workers: of 200 clients at once 10 are served", {
  timeout,
}, async () => {
  let most = 0;
  await using backend = new TcpBackend(async (conn) => {
    most = Math.max(most, backend.open);
    await conn.write(new Uint8Array(1));
    await conn.read(new Uint8Array(1)); // until the client ends
  });
  await using twixt = await start([backend], { max_connections: 10 });
  const before = await twixt.descriptors();
  for (let round = 1; round <= 3; round++) {
    const served: Deno.Conn[] = [];
    await times(200, 200, async () => {
      const conn = await connect(twixt.port("web"));
      const length = await conn.read(new Uint8Array(1)).catch(() => null);
      if (length === null) conn.close();
      else served.push(conn);
    });
    assert.equal(served.length, 10, `round ${round}`);
    assert.equal(backend.open, 10);
    for (const conn of served) conn.close();
    await twixt.descriptorsReturn(before); // which tells that their places are free again
  }
  console.log(`200 clients at once, max_connections 10: ${most} at the backend at most`);
  assert.equal(most, 10);
  assert.equal(backend.count, 30);
});

Deno.test("an IPv6 client reaches an IPv6 backend", { ignore: !hasIPv6, timeout }, async () => {
  await using backend = new TcpBackend(
    (conn) => writeAll(conn, new TextEncoder().encode("six")),
    0,
    "::1",
  );
  await using twixt = await start([backend], { bind: "[::1]:0" });
  using conn = await connect(twixt.port("web"), "::1");
  assert.equal(new TextDecoder().decode(await readAll(conn)), "six");
  await assert.rejects(connect(twixt.port("web")), Deno.errors.ConnectionRefused);
});

Deno.test("client_idle_timeout ends a session after a silence, not one where one side speaks", {
  timeout,
}, async () => {
  await using sink = new TcpBackend(async (conn) => {
    await untilEnd(conn);
  });
  await using twixt = await start([sink], { client_idle_timeout: "1s" });
  const before = await twixt.descriptors();
  using conn = await connect(twixt.port("web"));
  let ended = 0;
  const reading = untilEnd(conn).then(({ end }) => {
    ended = performance.now();
    return end;
  });
  let quiet = 0;
  for (let i = 0; i < 12; i++) { // for 1.8 s
    quiet = performance.now();
    await conn.write(new Uint8Array(1));
    await pause(150);
  }
  assert.equal(ended, 0, "it ended although the client was speaking");
  assert.equal(await reading, "fin");
  const after = ended - quiet;
  console.log(`client_idle_timeout of 1s: ended ${Math.round(after)} ms after the silence began`);
  assert(after >= 1_000 && after < 2_000, `ended after ${after} ms`);
  await twixt.descriptorsReturn(before);
});

Deno.test("half_close_timeout ends a session whose other side says nothing any more", {
  timeout,
}, async () => {
  await using mute = new TcpBackend(async (conn) => {
    await untilEnd(conn);
    await new Promise(() => {}); // never ends its side
  });
  await using twixt = await start([mute], { half_close_timeout: "500ms" });
  const before = await twixt.descriptors();
  using conn = await connect(twixt.port("web"));
  await conn.write(new Uint8Array(1));
  await until(() => mute.open === 1);
  await pause(1_000); // a silence is nothing while both sides are open
  const since = performance.now();
  await conn.closeWrite();
  assert.equal((await untilEnd(conn)).end, "fin");
  const after = performance.now() - since;
  console.log(`half_close_timeout of 500ms: ended after ${Math.round(after)} ms`);
  assert(after >= 500 && after < 1_500, `ended after ${after} ms`);
  await twixt.descriptorsReturn(before);
});
