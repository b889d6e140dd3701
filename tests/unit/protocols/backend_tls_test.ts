/** TLS towards backends: byte for byte, ended from either side, and what a backend can do wrong. */
import assert from "node:assert/strict";
import type { ServerTable } from "../../../lib/model.ts";
import type { BackendsTls } from "../../../lib/tls_model.ts";
import { DIAL_TIMEOUTS, NO_BACKEND, REFUSED, RX, TX } from "../../../lib/stats/layout.ts";
import { ProxyReader } from "../../../protocols/proxy_reader.ts";
import { readAll, TcpBackend, until, writeAll } from "../../support/backends.ts";
import { certificate } from "../../support/certificates.ts";
import { TlsBackend } from "../../support/tls_backend.ts";
import { seeded } from "../../support/clock.ts";
import { LIMITS, Plane } from "../../support/plane.ts";
import { TemporaryFolder } from "../../support/temporary_folder.ts";
import { member } from "../../support/members.ts";

const decoder = new TextDecoder();
const encoder = new TextEncoder();

const { cert, key, ca } = await (async () => {
  await using folder = new TemporaryFolder();
  const paths = await certificate(folder.path, "backend");
  const read = (path: string) => Deno.readTextFile(path);
  return { cert: await read(paths.cert), key: await read(paths.key), ca: await read(paths.ca) };
})();

const greeter = (text: string) =>
  new TlsBackend({ cert, key }, (conn) => writeAll(conn, encoder.encode(text)));

function planeOf(
  ports: readonly number[],
  tls: Partial<BackendsTls> = {},
  server: Partial<ServerTable> = {},
): Plane {
  return new Plane(ports, {}, {
    backendsTls: { rejectUnauthorized: true, ca, ...tls },
    ...server,
  });
}

async function said(plane: Plane): Promise<string> {
  using client = await plane.connect();
  return decoder.decode(await readAll(client).catch(() => new Uint8Array()));
}

function bytes(length: number): Uint8Array<ArrayBuffer> {
  const random = seeded(length);
  return Uint8Array.from({ length }, () => random() * 256);
}

Deno.test("TLS to backends: a client's half-close reaches the backend, its answer the client, byte for byte", async () => {
  await using backend = new TlsBackend({ cert, key }, async (conn) => {
    await writeAll(conn, await readAll(conn));
    await conn.closeWrite();
  });
  await using plane = planeOf([backend.port]);
  for (const length of [0, 1, 1024, 300_000, 3_000_000]) {
    using client = await plane.connect();
    const sent = bytes(length);
    await writeAll(client, sent);
    await client.closeWrite();
    assert(Buffer.from(await readAll(client)).equals(Buffer.from(sent)), `${length} bytes`);
  }
  await plane.idle();
  assert.deepEqual([plane.count(TX), plane.count(RX)], [3_301_025, 3_301_025]);
});

Deno.test("TLS to backends: a backend's half-close reaches the client, which may go on sending", async () => {
  const got: number[] = [];
  await using backend = new TlsBackend({ cert, key }, async (conn) => {
    await writeAll(conn, encoder.encode("first"));
    await conn.closeWrite();
    got.push((await readAll(conn)).length);
  });
  await using plane = planeOf([backend.port]);
  using client = await plane.connect();
  assert.equal(decoder.decode(await readAll(client)), "first");
  await writeAll(client, bytes(1_000_000));
  await client.closeWrite();
  await plane.idle();
  await until(() => got.length > 0);
  assert.deepEqual(got, [1_000_000]);
});

Deno.test("TLS to backends: 3 MB go both ways at the same time, past a client that reads slowly", async () => {
  await using backend = new TlsBackend({ cert, key }, async (conn) => {
    const buffer = new Uint8Array(1 << 16);
    for (let n; (n = await conn.read(buffer)) !== null;) {
      await writeAll(conn, buffer.subarray(0, n));
    }
    await conn.closeWrite();
  });
  await using plane = planeOf([backend.port]);
  using client = await plane.connect();
  const sent = bytes(3_000_000);
  const writing = writeAll(client, sent).then(() => client.closeWrite());
  await new Promise((resolve) => setTimeout(resolve, 200));
  const got = await readAll(client);
  await writing;
  assert(Buffer.from(got).equals(Buffer.from(sent)));
  await plane.idle();
});

Deno.test("TLS to backends: who can't be verified gets nobody; the next one does", async () => {
  await using stranger = greeter("stranger");
  await using plain = new TcpBackend(async (conn) => {
    await writeAll(conn, encoder.encode("plain"));
    await readAll(conn).catch(() => {});
  });
  await using unverified = planeOf([stranger.port], { ca: "" });
  assert.equal(await said(unverified), "");
  assert.equal(unverified.count(NO_BACKEND), 1);
  await using wrongName = planeOf([stranger.port], { serverName: "other.test" });
  assert.equal(await said(wrongName), "");
  const why = wrongName.said.flatMap((each) => each.kind === "log" ? [each.fields["why"]] : []);
  assert.match(String(why[0]), /isn't for other\.test, but for/);
  await using anybody = planeOf([stranger.port], { rejectUnauthorized: false, serverName: "x" });
  assert.equal(await said(anybody), "stranger");
  await using good = greeter("good");
  await using both = planeOf([plain.port, good.port]);
  for (let i = 0; i < 4; i++) assert.equal(await said(both), "good");
  assert(both.count(REFUSED, 10) > 0, "who doesn't speak TLS has failed");
  for (const plane of [unverified, wrongName, anybody, both]) await plane.idle();
});

Deno.test("TLS to backends: one that never answers a hello has failed in time, and nothing is left", async () => {
  await using silent = new TcpBackend(async (conn) => void await readAll(conn).catch(() => {}));
  await using plane = new Plane([silent.port], { dialMs: 300, dialAttempts: 1 }, {
    backendsTls: { rejectUnauthorized: true, ca },
  });
  const since = performance.now();
  assert.equal(await said(plane), "");
  const took = performance.now() - since;
  assert(took > 250 && took < 2_000, `${took} ms`);
  assert.equal(plane.count(DIAL_TIMEOUTS, 10), 1);
  await plane.idle();
});

Deno.test("TLS to backends: a host's name is asked for and verified, a PROXY header goes ahead in the plain", async () => {
  const { promise: header, resolve } = Promise.withResolvers<string>();
  await using relay = new TcpBackend(async (conn) => {
    const reader = new ProxyReader();
    const buffer = new Uint8Array(4096);
    const length = (await conn.read(buffer))!;
    const read = reader.push(buffer.subarray(0, length));
    assert(typeof read === "object" && "header" in read);
    resolve(read.header.source!.address);
    const far = await Deno.connect({ hostname: "127.0.0.1", port: backend.port });
    await writeAll(far, buffer.subarray(read.taken, length));
    const there = conn.readable.pipeTo(far.writable).catch(() => {});
    await far.readable.pipeTo(conn.writable).catch(() => {});
    await there;
  });
  await using backend = greeter("named");
  const members = [member(0, { host: "localhost", address: "127.0.0.1", port: relay.port })];
  await using plane = new Plane(
    [],
    LIMITS,
    {
      backendsTls: { rejectUnauthorized: true, ca },
      proxy: { send: 1, from: [], readMs: 300 },
    },
    "roundrobin",
    members,
  );
  assert.equal(await said(plane), "named");
  assert.equal(await header, "127.0.0.1");
  await plane.idle();
});

Deno.test("TLS to backends: sessions that are cut close their backends' connections", async () => {
  let ended = false;
  await using backend = new TlsBackend({ cert, key }, async (conn) => {
    await readAll(conn).catch(() => {});
    ended = true;
  });
  await using plane = planeOf([backend.port]);
  using client = await plane.connect();
  await writeAll(client, encoder.encode("a"));
  await until(() => plane.count(TX) === 1);
  plane.plane.handle({ kind: "abort" });
  await plane.idle();
  await until(() => ended);
});

Deno.test("TLS to backends: a client's idle limit doesn't end a dial, whose own limit finds another backend", async () => {
  await using silent = new TcpBackend(async (conn) => void await readAll(conn).catch(() => {}));
  await using good = greeter("good");
  const members = [silent, good].map(({ port }, i) =>
    member(i, { address: "127.0.0.1", port, priority: i })
  );
  const tls = { backendsTls: { rejectUnauthorized: true, ca } };
  await using plane = new Plane(
    [],
    { ...LIMITS, dialMs: 800, clientIdleMs: 200 },
    tls,
    "roundrobin",
    members,
  );
  assert.equal(await said(plane), "good");
  await plane.idle();
});
