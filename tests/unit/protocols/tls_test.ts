import assert from "node:assert/strict";
import type { ServerTable } from "../../../lib/model.ts";
import type { Certificate, TlsTable } from "../../../lib/tls_model.ts";
import {
  ACTIVE,
  DENIED,
  HANDSHAKE_FAILED,
  HANDSHAKE_TIMED_OUT,
  NO_BACKEND,
  OVER_UNFINISHED,
  PROCESS_SLOT,
  REFUSED,
  RX,
  TOTAL,
  TX,
  UNFINISHED,
} from "../../../lib/stats/layout.ts";
import { readV2, V2_FIXED_BYTES } from "../../../protocols/proxy_v2.ts";
import { echo, greeter, readAll, TcpBackend, until, writeAll } from "../../support/backends.ts";
import { certificate } from "../../support/certificates.ts";
import { seeded } from "../../support/clock.ts";
import { Plane, SERVER_SLOT } from "../../support/plane.ts";
import { TemporaryFolder } from "../../support/temporary_folder.ts";

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** A certificate by value, and the authority that clients have to trust. */
async function made(name: string, names = ["localhost"]): Promise<Certificate & { ca: string }> {
  await using folder = new TemporaryFolder();
  const { cert, key, ca } = await certificate(folder.path, name);
  const read = (path: string) => Deno.readTextFile(path);
  return { names, cert: await read(cert), key: await read(key), ca: await read(ca) };
}

const one = await made("one");
const two = await made("two", ["two.test"]);

function tlsOf(more: Partial<TlsTable> = {}): { tls: TlsTable } {
  return {
    tls: {
      ...{ certificates: [one], alpn: [], handshakeMs: 5_000, maxUnfinished: 512 },
      guard: "never",
      ...more,
    },
  };
}

function planeOf(
  backend: TcpBackend,
  more: Partial<TlsTable> = {},
  server: Partial<ServerTable> = {},
) {
  return new Plane([backend.port], {}, { ...tlsOf(more), ...server });
}

/** The same with a listener that speaks TLS, with one behind a hop, and by `node:tls`. */
const WAYS = [{ guard: "never" }, { guard: "always" }, { minVersion: "TLSv1.3" }] as const;
function all(
  name: string,
  run: (way: Partial<TlsTable>) => Promise<void>,
  ways: readonly Partial<TlsTable>[] = WAYS,
): void {
  for (const way of ways) Deno.test(`${name} (${JSON.stringify(way)})`, () => run(way));
}

function secure(plane: Plane, ca = one.ca, alpnProtocols?: string[]): Promise<Deno.TlsConn> {
  return Deno.connectTls({
    hostname: "127.0.0.1",
    port: plane.port,
    caCerts: [ca],
    ...alpnProtocols ? { alpnProtocols } : {},
  });
}

/** Reads until the peer is gone, however it goes. */
async function gone(conn: Deno.Conn): Promise<string> {
  try {
    return decoder.decode(await readAll(conn));
  } catch {
    return ""; // it was reset
  }
}

/** What a client is told before its backend hangs up. */
async function said(plane: Plane): Promise<string> {
  using client = await secure(plane);
  return decoder.decode(await readAll(client));
}

/** Nothing is open or counted as open any more. */
async function quiet(plane: Plane): Promise<void> {
  await plane.idle();
  await until(() => plane.count(UNFINISHED) === 0, 5_000, "the end of all handshakes");
  await until(() => plane.counters.sum(PROCESS_SLOT, ACTIVE) === 0); // hops have last words
}

function bytes(length: number): Uint8Array<ArrayBuffer> {
  const random = seeded(length);
  return Uint8Array.from({ length }, () => random() * 256);
}

all(
  "tls: a client's half-close reaches the backend, and its answer the client, byte for byte",
  async (way) => {
    await using backend = new TcpBackend(async (conn) => await writeAll(conn, await readAll(conn)));
    await using plane = planeOf(backend, way);
    for (const length of [0, 1, 1024, 300_000, 3_000_000]) {
      using client = await secure(plane);
      const sent = bytes(length);
      await writeAll(client, sent);
      await client.closeWrite();
      assert(Buffer.from(await readAll(client)).equals(Buffer.from(sent)), `${length} bytes`);
    }
    await quiet(plane);
    assert.equal(plane.count(TX), 3_301_025);
    assert.equal(plane.count(RX), 3_301_025);
    assert.equal(plane.count(TOTAL), 5);
    assert.equal(plane.count(REFUSED), 0);
  },
);

all("tls: 3 MB go both ways at the same time", async (way) => {
  await using backend = echo();
  await using plane = planeOf(backend, way);
  using client = await secure(plane);
  const sent = bytes(3_000_000);
  const [, got] = await Promise.all([
    writeAll(client, sent).then(() => client.closeWrite()),
    readAll(client),
  ]);
  assert(Buffer.from(got).equals(Buffer.from(sent)));
  await quiet(plane);
});

all("tls: a backend's half-close reaches the client, which may go on sending", async (way) => {
  const got: number[] = [];
  await using backend = new TcpBackend(async (conn) => {
    await writeAll(conn, encoder.encode("bye"));
    await conn.closeWrite();
    got.push((await readAll(conn)).length);
  });
  await using plane = planeOf(backend, way);
  using client = await secure(plane);
  assert.equal(decoder.decode(await readAll(client)), "bye");
  await writeAll(client, bytes(100_000));
  await client.closeWrite();
  await quiet(plane);
  await until(() => got.length > 0);
  assert.deepEqual(got, [100_000]);
});

all(
  "tls: a client that ends without its last word has ended, and the backend hears of it",
  async (way) => {
    const got: string[] = [];
    await using backend = new TcpBackend(async (conn) => {
      got.push(decoder.decode(await readAll(conn)));
    });
    await using plane = planeOf(backend, way);
    // a relay in between passes the client's bytes on, but for the last word
    using relay = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const client = Deno.connectTls({
      hostname: "127.0.0.1",
      port: relay.addr.port,
      caCerts: [one.ca],
    });
    using near = await relay.accept();
    using far = await plane.connect();
    const back = far.readable.pipeTo(near.writable, { preventClose: true }).catch(() => {});
    const buffer = new Uint8Array(65_536);
    let passing = true;
    const there = (async () => {
      for (let n = await near.read(buffer); n !== null; n = await near.read(buffer)) {
        if (passing) await writeAll(far, buffer.subarray(0, n));
      }
    })().catch(() => {});
    const conn = await client;
    await writeAll(conn, encoder.encode("hello"));
    await until(() => plane.count(TX) === 5);
    passing = false;
    conn.close();
    await far.closeWrite(); // a FIN without close_notify
    await until(() => got.length === 1);
    assert.deepEqual(got, ["hello"]);
    await quiet(plane);
    await Promise.all([back, there]);
  },
);

all(
  "tls: plain HTTP, a hello that ends early and a wrong protocol fail, counted, and nobody is dialled",
  async (way) => {
    await using backend = greeter("a");
    await using plane = planeOf(backend, { ...way, alpn: ["h2"] });
    using http = await plane.connect();
    await writeAll(http, encoder.encode("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    await gone(http);
    assert.equal(plane.count(HANDSHAKE_FAILED), 1);
    using early = await plane.connect();
    await writeAll(early, Uint8Array.of(22, 3, 1, 2, 0, 1, 0, 1, 0xfc));
    await early.closeWrite();
    await gone(early);
    assert.equal(plane.count(HANDSHAKE_FAILED), 2);
    using other = await secure(plane, one.ca, ["http/1.1"]);
    await assert.rejects(other.handshake());
    await until(() => plane.count(HANDSHAKE_FAILED) === 3);
    using stranger = await secure(plane, two.ca); // it refuses our certificate
    await assert.rejects(stranger.handshake());
    await until(() => plane.count(HANDSHAKE_FAILED) === 4);
    assert.equal(plane.count(REFUSED), 4);
    assert.equal(backend.count, 0);
    await quiet(plane);
  },
);

for (const first of [[], [22, 3, 1, 2, 0, 1, 0]]) {
  const what = first.length === 0 ? "says nothing" : "stops in its hello";
  Deno.test(`tls: who ${what} is parked at the limit, and closed as soon as it leaves`, async () => {
    await using backend = greeter("a");
    await using plane = planeOf(backend, { handshakeMs: 300 });
    using client = await plane.connect();
    await writeAll(client, Uint8Array.from(first));
    const since = performance.now();
    await until(() => plane.count(HANDSHAKE_TIMED_OUT) === 1);
    const took = performance.now() - since;
    assert(took > 250 && took < 2_000, `${took} ms`);
    await plane.idle();
    assert.equal(plane.count(UNFINISHED), 1, "it isn't a session any more, but it is there");
    assert.equal(plane.count(REFUSED), 1);
    await client.closeWrite();
    await quiet(plane);
    assert.equal(plane.count(HANDSHAKE_FAILED), 0, "it was counted once");
    assert.equal(backend.count, 0);
  });
}

Deno.test("tls: who finishes its handshake too late isn't served any more", async () => {
  await using backend = greeter("a");
  await using plane = planeOf(backend, { handshakeMs: 200 });
  using relay = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const client = Deno.connectTls({
    hostname: "127.0.0.1",
    port: relay.addr.port,
    caCerts: [one.ca],
  });
  using near = await relay.accept();
  using far = await plane.connect();
  await until(() => plane.count(HANDSHAKE_TIMED_OUT) === 1);
  const back = far.readable.pipeTo(near.writable).catch(() => {});
  const there = near.readable.pipeTo(far.writable).catch(() => {});
  using conn = await client;
  assert.equal(await gone(conn), "");
  conn.close = () => {}; // it is closed by then, or `using` does it
  await quiet(plane);
  assert.equal(backend.count, 0);
  await Promise.all([back, there]);
});

Deno.test("tls: beyond max_unfinished clients are refused, beyond twice as many they wait; all is well once they leave", async () => {
  await using backend = greeter("a");
  await using plane = planeOf(backend, { handshakeMs: 200, maxUnfinished: 3 });
  const silent = await Promise.all(Array.from({ length: 8 }, () => plane.connect()));
  await until(() => plane.count(HANDSHAKE_TIMED_OUT) === 3);
  assert.equal(plane.count(OVER_UNFINISHED), 3);
  assert.equal(plane.count(UNFINISHED), 6, "two are still in the kernel's queue");
  for (const client of silent) client.close();
  await quiet(plane);
  assert.equal(await said(plane), "a");
  await quiet(plane);
});

all(
  "tls: access rules hold before any handshake; without a backend the client is told at once",
  async (way) => {
    await using backend = greeter("a");
    const access = { allowByDefault: false, rules: [] };
    await using closed = planeOf(backend, way, { access });
    using denied = await secure(closed);
    assert.equal(await gone(denied), "");
    assert.equal(closed.count(DENIED), 1);
    await quiet(closed);
    await using empty = new Plane([], {}, tlsOf(way));
    using client = await secure(empty);
    assert.equal(await gone(client), "");
    assert.equal(empty.count(NO_BACKEND), 1);
    await quiet(empty);
  },
);

all(
  "tls: the protocol that was agreed on goes into a PROXY header of version 2",
  async (way) => {
    await using backend = new TcpBackend(async (conn) => await writeAll(conn, await readAll(conn)));
    await using plane = planeOf(backend, { ...way, alpn: ["h2", "http/1.1"] }, {
      proxy: { send: 2, from: [], readMs: 300 },
    });
    using client = await secure(plane, one.ca, ["http/1.1", "h2"]);
    assert.equal((await client.handshake()).alpnProtocol, "h2");
    await writeAll(client, encoder.encode("hello"));
    await client.closeWrite();
    const all = await readAll(client);
    const length = V2_FIXED_BYTES + (all[14]! << 8 | all[15]!);
    const header = readV2(all.slice(0, length));
    assert(typeof header === "object");
    assert.equal(header.alpn, "h2");
    assert.equal(header.source?.port, (client.localAddr as Deno.NetAddr).port);
    assert.equal(decoder.decode(all.subarray(length)), "hello");
    await quiet(plane);
  },
);

all("tls: a new certificate is shown to whoever comes next, and sessions go on", async (way) => {
  await using backend = echo();
  await using plane = planeOf(backend, way);
  using before = await secure(plane);
  await writeAll(before, encoder.encode("a"));
  const stalled = await plane.connect(); // in the middle of its handshake
  await until(() => plane.count(UNFINISHED) === 1);
  Object.assign(plane.server, tlsOf({ ...way, certificates: [two] }));
  plane.serve();
  assert.deepEqual(plane.said.findLast(({ kind }) => kind !== "log"), {
    kind: "listening",
    server: "web",
  });
  await new Promise((resolve) => setTimeout(resolve, 100)); // the old listener has gone
  for (let i = 0; i < 10; i++) {
    using after = await secure(plane, two.ca);
    await after.handshake();
  }
  await until(() => plane.count(UNFINISHED) === 1); // counted still, by the new listener
  stalled.close();
  await writeAll(before, encoder.encode("b"));
  await before.closeWrite();
  assert.equal(decoder.decode(await readAll(before)), "ab");
  await quiet(plane);
  assert.equal(plane.count(HANDSHAKE_FAILED), 1, "of the one that has left");
});

all(
  "tls: a server that gets another name and slot counts for itself from then on",
  async (way) => {
    await using backend = greeter("a");
    await using plane = planeOf(backend, way);
    const silent = await plane.connect();
    await until(() => plane.count(UNFINISHED) === 1);
    Object.assign(plane.server, { name: "other", slot: SERVER_SLOT + 1 });
    plane.serve();
    using late = await plane.connect();
    await until(() => plane.count(UNFINISHED, SERVER_SLOT + 1) === 1);
    silent.close();
    await until(() => plane.count(UNFINISHED) === 0);
    assert.equal(plane.count(UNFINISHED, SERVER_SLOT + 1), 1);
    await late.closeWrite();
    await until(() => plane.count(UNFINISHED, SERVER_SLOT + 1) === 0);
  },
);

all(
  "tls: a certificate that the runtime doesn't take leaves the old listener alone",
  async (way) => {
    await using backend = greeter("a");
    await using plane = planeOf(backend, way);
    Object.assign(plane.server, tlsOf({ ...way, certificates: [{ ...one, key: two.key }] }));
    plane.serve();
    assert.equal(plane.said.findLast(({ kind }) => kind !== "log")?.kind, "failed");
    assert.equal(await said(plane), "a");
    await quiet(plane);
  },
  WAYS.slice(0, 2), // by `node:tls` it is seen by the first client; nobody gets it past the control plane
);
