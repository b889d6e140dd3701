/** TLS with clients whose hellos are read first: what only the hop can do, and when it is switched on and off. */
import assert from "node:assert/strict";
import type { ServerTable } from "../../../lib/model.ts";
import type { TlsTable } from "../../../lib/tls_model.ts";
import {
  ACTIVE,
  BAD_PROXY_HEADER,
  GUARDED,
  HANDSHAKE_FAILED,
  HANDSHAKE_TIMED_OUT,
  NO_ROUTE,
  OVER_CAPACITY,
  OVER_UNFINISHED,
  PROCESS_SLOT,
  REFUSED,
  UNFINISHED,
} from "../../../lib/stats/layout.ts";
import { writeV1 } from "../../../protocols/proxy_v1.ts";
import { greeter, readAll, TcpBackend, until, writeAll } from "../../support/backends.ts";
import { certificate } from "../../support/certificates.ts";
import { member, table } from "../../support/members.ts";
import { Plane } from "../../support/plane.ts";
import { TemporaryFolder } from "../../support/temporary_folder.ts";

const decoder = new TextDecoder();

const { cert, key, ca } = await (async () => {
  await using folder = new TemporaryFolder();
  const paths = await certificate(folder.path, "guard");
  const read = (path: string) => Deno.readTextFile(path);
  return { cert: await read(paths.cert), key: await read(paths.key), ca: await read(paths.ca) };
})();

function planeOf(
  backends: readonly TcpBackend[],
  more: Partial<TlsTable> = {},
  server: Partial<ServerTable> = {},
): Plane {
  const certificates = [{ names: ["localhost"], cert, key }];
  return new Plane(backends.map(({ port }) => port), {}, {
    tls: {
      ...{ certificates, alpn: [], handshakeMs: 5_000, maxUnfinished: 512, guard: "always" },
      ...more,
    },
    ...server,
  });
}

async function said(plane: Plane, options: Partial<Deno.ConnectTlsOptions> = {}): Promise<string> {
  using client = await Deno.connectTls({
    hostname: "localhost",
    port: plane.port,
    caCerts: [ca],
    ...options,
  });
  return decoder.decode(await readAll(client));
}

/** Connections that say nothing, or the beginning of a hello. */
async function silent(plane: Plane, count: number, first: number[] = []) {
  const conns = await Promise.all(Array.from({ length: count }, () => plane.connect()));
  await Promise.all(conns.map((conn) => writeAll(conn, Uint8Array.from(first))));
  return {
    conns,
    [Symbol.dispose]: () =>
      conns.forEach((conn) => {
        try {
          conn.close();
        } catch {
          // the test has closed it
        }
      }),
  };
}

async function quiet(plane: Plane): Promise<void> {
  await plane.idle();
  await until(() =>
    plane.count(UNFINISHED) === 0 && plane.counters.sum(PROCESS_SLOT, ACTIVE) === 0
  );
}

for (const first of [[], [22, 3, 1, 2, 0, 1, 0]]) {
  const what = first.length === 0 ? "says nothing" : "stops in its hello";
  Deno.test(`guard: who ${what} is closed at the limit, and nothing is left of it`, async () => {
    await using backend = greeter("a");
    await using plane = planeOf([backend], { handshakeMs: 300 });
    using clients = await silent(plane, 1, first);
    assert.equal(await clients.conns[0]!.read(new Uint8Array(1)).catch(() => null), null);
    await quiet(plane);
    assert.deepEqual([plane.count(HANDSHAKE_TIMED_OUT), plane.count(REFUSED)], [1, 1]);
    assert.equal(backend.count, 0);
  });
}

Deno.test("guard: who stops after its hello is closed at the limit, both ends of its hop with it", async () => {
  await using backend = greeter("a");
  await using plane = planeOf([backend], { handshakeMs: 300 });
  using relay = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const client = Deno.connectTls({
    hostname: "localhost",
    port: relay.addr.port,
    caCerts: [ca],
  }).then((conn) => conn.handshake().finally(() => conn.close())).catch(() => "failed");
  using near = await relay.accept();
  using far = await plane.connect();
  const hello = new Uint8Array(4096);
  const length = await near.read(hello);
  for (const byte of hello.subarray(0, length!)) await far.write(Uint8Array.of(byte)); // one by one
  await until(() => plane.count(HANDSHAKE_TIMED_OUT) === 1);
  await quiet(plane);
  near.close();
  near.close = () => {};
  assert.equal(await client, "failed");
  assert.equal(backend.count, 0);
});

Deno.test("guard: at its limit the oldest silent client goes, and a good one is served", async () => {
  await using backend = greeter("a");
  await using plane = planeOf([backend], { maxUnfinished: 3 });
  using _silent = await silent(plane, 3);
  await until(() => plane.count(UNFINISHED) === 3);
  await new Promise((resolve) => setTimeout(resolve, 350));
  assert.equal(await said(plane), "a");
  assert.equal(plane.count(OVER_UNFINISHED), 1);
  await until(() => plane.count(UNFINISHED) === 2);
  assert.equal(plane.count(REFUSED), 1);
});

Deno.test("guard: auto comes with too many silent clients, serves good ones, and goes with the silent", async () => {
  await using backend = greeter("a");
  await using plane = planeOf([backend], { guard: "auto", maxUnfinished: 4 });
  assert.equal(await said(plane), "a");
  const first = await silent(plane, 4);
  await until(() => plane.count(GUARDED) === 1);
  const more = await silent(plane, 4);
  await until(() => plane.count(UNFINISHED) >= 7);
  await new Promise((resolve) => setTimeout(resolve, 350));
  for (let i = 0; i < 3; i++) assert.equal(await said(plane), "a");
  const logged = plane.said.filter((message) => message.kind === "log").map((m) => m.message);
  assert(logged.includes("too many silent clients: TLS is guarded against them"));
  plane.serve(); // a reload doesn't end it
  assert.equal(plane.count(GUARDED), 1);
  first[Symbol.dispose]();
  more[Symbol.dispose]();
  await quiet(plane);
  await until(() => plane.count(GUARDED) === 0, 10_000, "the end of the guard");
  // the kernel resets who comes to the listener that leaves in the moment when it does
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(await said(plane), "a");
  await quiet(plane);
});

Deno.test("guard: a hop counts as another session, and is refused where there is no room for it", async () => {
  await using backend = greeter("a");
  await using plane = planeOf([backend]);
  plane.counters.capacity = 1;
  await assert.rejects(said(plane));
  assert.equal(plane.count(OVER_CAPACITY), 1);
  plane.counters.capacity = 2;
  assert.equal(await said(plane), "a");
  await quiet(plane);
});

Deno.test("guard: a client that stops reading is gone with its session, when that is cut", async () => {
  await using backend = new TcpBackend(async (conn) => {
    await writeAll(conn, new Uint8Array(3 << 20));
  });
  await using plane = planeOf([backend]);
  using client = await Deno.connectTls({
    ...{ hostname: "localhost", port: plane.port, caCerts: [ca] },
  });
  await client.read(new Uint8Array(1));
  await client.closeWrite();
  plane.plane.handle({ kind: "abort" });
  await until(() => plane.counters.sum(PROCESS_SLOT, ACTIVE) === 0, 8_000, "the end of the hop");
});

Deno.test("guard: a PROXY header stands in front of TLS, whole or in pieces", async () => {
  await using backend = greeter("a");
  await using plane = planeOf([backend], {}, {
    proxy: { send: 0, from: ["127.0.0.1"], readMs: 300 },
  });
  const header = writeV1({ address: "192.0.2.7", port: 7 }, { address: "192.0.2.8", port: 443 });
  using relay = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const client = Deno.connectTls({
    ...{ hostname: "localhost", port: relay.addr.port, caCerts: [ca] },
  });
  using near = await relay.accept();
  using far = await plane.connect();
  const buffer = new Uint8Array(8192);
  const length = await near.read(buffer);
  const all = [...header, ...buffer.subarray(0, length!)];
  const cut = header.length + 3;
  await writeAll(far, Uint8Array.from(all.slice(0, cut)));
  await new Promise((resolve) => setTimeout(resolve, 20));
  await writeAll(far, Uint8Array.from(all.slice(cut)));
  const back = far.readable.pipeTo(near.writable).catch(() => {});
  const there = near.readable.pipeTo(far.writable).catch(() => {});
  using conn = await client;
  assert.equal(decoder.decode(await readAll(conn)), "a");
  conn.close();
  conn.close = () => {};
  await Promise.all([back, there]);
  await quiet(plane);
  using raw = await plane.connect();
  await writeAll(raw, new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
  await until(() => plane.count(BAD_PROXY_HEADER) === 1);
});

Deno.test("guard: names and protocols of hellos choose the pool in front of termination", async () => {
  await using main = greeter("main");
  await using named = greeter("named");
  await using plane = planeOf([main], { guard: "never", alpn: ["h2", "http/1.1"] }, {
    routing: {
      readMs: 2_000,
      routes: [
        { match: { alpn: [{ how: "equals", text: "h2" }] }, pool: "other" },
        { match: { sni: [{ how: "equals", text: "localhost" }] }, pool: "pool" },
      ],
    },
    pool: undefined,
  } as Partial<ServerTable>);
  plane.plane.handle({
    kind: "pool",
    pool: {
      ...table("roundrobin", [member(1, { address: "127.0.0.1", port: named.port })]),
      name: "other",
    },
  });
  assert.equal(await said(plane, { alpnProtocols: ["h2"] }), "named");
  assert.equal(await said(plane, { alpnProtocols: ["http/1.1"] }), "main");
  await assert.rejects(said(plane, { hostname: "127.0.0.1" }).then((text) => assert(text !== "")));
  assert.deepEqual([plane.count(NO_ROUTE), plane.count(HANDSHAKE_FAILED)], [1, 0]);
  await quiet(plane);
});

Deno.test("guard: who came before a change of certificates and speaks after it is served", async () => {
  await using backend = greeter("a");
  await using plane = planeOf([backend]);
  const early = await plane.connect();
  await until(() => plane.count(UNFINISHED) === 1);
  const { certificates } = plane.server.tls!;
  Object.assign(plane.server.tls!, { certificates: [{ ...certificates[0]!, names: ["other"] }] });
  plane.serve();
  await new Promise((resolve) => setTimeout(resolve, 100)); // the old listener has gone
  using client = await Deno.startTls(early, { hostname: "localhost", caCerts: [ca] });
  assert.equal(decoder.decode(await readAll(client)), "a");
  await client.closeWrite();
  await quiet(plane);
  assert.equal(plane.count(REFUSED), 0);
});

Deno.test("guard: a client that reads slowly isn't idle, and gets all that was said before the end", async () => {
  const answer = Uint8Array.from({ length: 8 << 20 }, (_, i) => i * 7);
  await using backend = new TcpBackend(async (conn) => {
    await conn.read(new Uint8Array(8));
    await writeAll(conn, answer);
  });
  await using plane = planeOf([backend]);
  plane.serve({ clientIdleMs: 700, backendIdleMs: 700, halfCloseMs: 700 });
  const client = await Deno.connectTls({
    ...{ hostname: "localhost", port: plane.port, caCerts: [ca] },
  });
  await writeAll(client, Uint8Array.of(1));
  await client.closeWrite();
  const got: Uint8Array[] = [];
  const buffer = new Uint8Array(1 << 18);
  for (let n; (n = await client.read(buffer)) !== null;) {
    got.push(buffer.slice(0, n));
    if (got.length % 4 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert(Buffer.concat(got).equals(Buffer.from(answer)));
  client.close();
  await quiet(plane);
});

Deno.test("guard: silent clients don't fill max_connections", async () => {
  await using backend = greeter("a");
  await using plane = planeOf([backend], {}, { maxConnections: 2 });
  using _silent = await silent(plane, 2);
  await until(() => plane.count(UNFINISHED) === 2);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(await said(plane), "a");
});

Deno.test("guard: a drain waits for last words", async () => {
  const answer = new Uint8Array(6 << 20);
  await using backend = new TcpBackend(async (conn) => {
    await conn.read(new Uint8Array(8));
    await writeAll(conn, answer);
  });
  await using plane = planeOf([backend]);
  const client = await Deno.connectTls({
    ...{ hostname: "localhost", port: plane.port, caCerts: [ca] },
  });
  await writeAll(client, Uint8Array.of(1));
  await client.closeWrite();
  const drained = () => plane.said.some(({ kind }) => kind === "drained");
  plane.plane.handle({ kind: "drain" });
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert(!drained());
  assert.equal((await readAll(client)).length, answer.length);
  client.close();
  await until(drained);
});

const WAYS = [
  { what: "a wrong record", bytes: [23, 3, 3, 0, 64, ...new Uint8Array(64)] },
  { what: "a fatal alert in the plain", bytes: [21, 3, 3, 0, 2, 2, 40] },
  { what: "no record at all", bytes: [...new Uint8Array(64).fill(71)] },
];

Deno.test.each(WAYS)(
  "TLS by `node:tls`: $what after the handshake ends the session at once",
  async ({ bytes }) => {
    await using backend = new TcpBackend(async (conn) => {
      await writeAll(conn, new TextEncoder().encode("a"));
      await readAll(conn).catch(() => {});
    });
    await using plane = planeOf([backend], { minVersion: "TLSv1.3" });
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const connecting = Deno.connectTls({
      ...{ hostname: "localhost", port: listener.addr.port, caCerts: [ca] },
    });
    const near = await listener.accept(); // what the client says goes through the test
    const far = await plane.connect();
    const there = copy(near, far);
    const back = copy(far, near);
    const client = await connecting;
    assert.equal(await client.read(new Uint8Array(9)), 1);
    near.close();
    client.close();
    await there;
    await writeAll(far, Uint8Array.from(bytes));
    await quiet(plane);
    await back;
    far.close();
  },
);

async function copy(from: Deno.Conn, to: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(1 << 14);
  try {
    for (let length; (length = await from.read(buffer)) !== null;) {
      await writeAll(to, buffer.subarray(0, length));
    }
  } catch {
    // one side is gone
  }
}
