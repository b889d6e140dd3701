import assert from "node:assert/strict";
import net from "node:net";
import type { Route, RoutingSpec, SniSpec } from "../../../lib/routing_spec.ts";
import {
  BAD_HELLO,
  HELLO_TIMEOUT,
  NO_ROUTE,
  REFUSED,
  RETRIES,
  TX,
} from "../../../lib/stats/layout.ts";
import { MAX_HELLO_BYTES } from "../../../protocols/client_hello.ts";
import { writeV1 } from "../../../protocols/proxy_v1.ts";
import { readAll, TcpBackend, until, writeAll } from "../../support/backends.ts";
import { freePort } from "../../support/clients.ts";
import {
  alpnOf,
  extension,
  helloFixtures,
  helloWith,
  inRecords,
  serverNames,
} from "../../support/client_hello.ts";
import { member, table } from "../../support/members.ts";
import { BACKEND_SLOT, Plane } from "../../support/plane.ts";

const SNI: SniSpec = { matching: "exact", unexpected: "reject" };
const fixtures = helloFixtures();
const encoder = new TextEncoder();

/** Says its name in one byte, then back all that it has got. */
function mirror(name: string): TcpBackend {
  return new TcpBackend(async (conn) => {
    const got = await readAll(conn);
    await writeAll(conn, encoder.encode(name));
    await writeAll(conn, got);
  });
}

/** A plane whose backends serve these names; "" is for clients without one. */
function planeOf(
  backends: Readonly<Record<string, TcpBackend>>,
  routing: Partial<RoutingSpec> = {},
  more = {},
): Plane {
  const members = Object.entries(backends).map(([sni, { port }], i) =>
    member(i, { address: "127.0.0.1", port, sni })
  );
  const spec: RoutingSpec = { routes: [], sni: SNI, readMs: 300, ...routing };
  return new Plane([], {}, { routing: spec, ...more }, "roundrobin", members);
}

/** The backend's name and what it has got, when a client sends these pieces and its FIN; empty if it was refused. */
async function exchange(plane: Plane, pieces: readonly Uint8Array[]) {
  using client = await plane.connect();
  let answer: Uint8Array = new Uint8Array();
  try {
    for (const piece of pieces) {
      await writeAll(client, piece);
      if (pieces.length > 1) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await client.closeWrite();
    answer = await readAll(client);
  } catch {
    // it was reset
  }
  return { from: String.fromCharCode(...answer.subarray(0, 1)), got: answer.subarray(1) };
}

const hello = (name: string) => helloWith(serverNames(name));
const joined = (pieces: readonly Uint8Array[]) => Uint8Array.from(pieces.flatMap((p) => [...p]));

Deno.test("a hello leads to the backend of its name, cut at any byte, and reaches it unchanged with what follows", async () => {
  await using a = mirror("a");
  await using b = mirror("b");
  await using plane = planeOf({ "a.example": a, "b.example": b });
  const whole = joined([hello("b.example"), encoder.encode("early data")]);
  for (let at = 0; at < whole.length; at++) {
    const pieces = [whole.subarray(0, at), whole.subarray(at)].filter(({ length }) => length > 0);
    const { from, got } = await exchange(plane, pieces);
    assert.equal(from, "b", `cut at ${at}`);
    assert.deepEqual(got, whole, `cut at ${at}`);
  }
  const { from, got } = await exchange(plane, [...whole].map((byte) => Uint8Array.of(byte)));
  assert.equal(from, "b");
  assert.deepEqual(got, whole);
  await plane.idle();
  assert.equal(plane.count(TX), whole.length * (whole.length + 1));
  assert.equal(plane.count(REFUSED), 0);
  assert.equal(a.count, 0);
});

Deno.test.each(fixtures)(
  "the hello of $name reaches the backend of its name in halves",
  async ({ bytes, hello }) => {
    await using named = mirror("n");
    await using nameless = mirror("-");
    const name = hello.serverName ?? "other.example";
    await using plane = planeOf({ [name]: named, "": nameless });
    const half = bytes.length >> 1;
    const { from, got } = await exchange(plane, [bytes.subarray(0, half), bytes.subarray(half)]);
    assert.equal(from, hello.serverName === undefined ? "-" : "n");
    assert.deepEqual(got, bytes);
  },
);

Deno.test.each([1_023, 1_024, 1_025, 4_096, 4_097, 9_000, MAX_HELLO_BYTES])(
  "a hello of %s bytes reaches its backend with a megabyte behind it",
  async (size) => {
    await using a = mirror("a");
    await using plane = planeOf({ "a.example": a });
    const bare = helloWith(serverNames("a.example"), extension(21, [])).length;
    const padding = new Array(size - bare).fill(7);
    const bytes = helloWith(serverNames("a.example"), extension(21, padding));
    assert.equal(bytes.length, size);
    const rest = crypto.getRandomValues(new Uint8Array(65_536));
    const pieces = [bytes, ...new Array(16).fill(rest)];
    const { from, got } = await exchange(plane, pieces);
    assert.equal(from, "a");
    assert.deepEqual(got, joined(pieces));
  },
);

Deno.test("what isn't TLS, or names nobody, is for the backend without a name, or refused undialled", async () => {
  await using a = mirror("a");
  await using nameless = mirror("-");
  const plain = encoder.encode("GET / HTTP/1.1\r\n\r\n");
  {
    await using plane = planeOf({ "a.example": a, "": nameless });
    for (const bytes of [plain, helloWith(), encoder.encode("x")]) {
      const { from, got } = await exchange(plane, [bytes]);
      assert.equal(from, "-");
      assert.deepEqual(got, bytes);
    }
  }
  await using plane = planeOf({ "a.example": a });
  for (const bytes of [plain, helloWith(), hello("b.example")]) {
    assert.equal((await exchange(plane, [bytes])).from, "");
  }
  await plane.idle();
  assert.deepEqual([plane.count(NO_ROUTE), plane.count(REFUSED), a.count], [3, 3, 0]);
});

Deno.test("a broken, an oversized and a broken-off hello are refused and counted, nobody is dialled", async () => {
  await using a = mirror("a");
  await using plane = planeOf({ "a.example": a }, { sni: { ...SNI, unexpected: "any" } });
  const good = hello("a.example");
  const wrong = good.slice();
  wrong[5] = 2; // a server's hello
  const large = inRecords(new Uint8Array([1, 0, 0x80, 0, ...new Array(20_000).fill(0)]));
  for (const bytes of [wrong, large, good.subarray(0, 50)]) {
    assert.equal((await exchange(plane, [bytes])).from, "");
  }
  await plane.idle();
  assert.deepEqual([plane.count(BAD_HELLO), plane.count(REFUSED), a.count], [3, 3, 0]);
});

Deno.test("who says nothing, or stops in the middle, is closed when the time is over; who leaves isn't refused", async () => {
  await using a = mirror("a");
  await using plane = planeOf({ "a.example": a }, { readMs: 200 });
  using silent = await plane.connect();
  using slow = await plane.connect();
  await writeAll(slow, hello("a.example").subarray(0, 20));
  const startedAt = performance.now();
  for (const client of [silent, slow]) {
    assert.equal((await readAll(client).catch(() => new Uint8Array())).length, 0);
  }
  const ms = performance.now() - startedAt;
  assert(ms > 190 && ms < 2_000, `${ms} ms`);
  await plane.idle();
  assert.deepEqual([plane.count(HELLO_TIMEOUT), plane.count(REFUSED)], [2, 2]);
  (await plane.connect()).close();
  await plane.idle();
  assert.deepEqual([plane.count(REFUSED), a.count], [2, 0]);
});

Deno.test("the time for the hello is none of the time for dials", async () => {
  await using a = mirror("a");
  const members = [member(0, { address: "127.0.0.1", port: a.port, sni: "a.example" })];
  const routing: RoutingSpec = { routes: [], sni: SNI, readMs: 2_000 };
  const limits = { dialBudgetMs: 300 };
  await using plane = new Plane([], limits, { routing }, "roundrobin", members);
  using client = await plane.connect();
  await new Promise((resolve) => setTimeout(resolve, 600));
  await writeAll(client, hello("a.example"));
  await client.closeWrite();
  assert.equal((await readAll(client))[0], "a".charCodeAt(0));
});

Deno.test("another backend of the name takes over after a failed dial, and gets the whole hello", async () => {
  await using good = mirror("g");
  await using other = mirror("o");
  const of = (sni: string, port: number, i: number, priority = 1) =>
    member(i, { address: "127.0.0.1", port, sni, priority });
  const members = [
    of("a.example", freePort(), 0, 0),
    of("a.example", good.port, 1),
    of("b.example", other.port, 2, 0),
  ];
  const routing: RoutingSpec = { routes: [], sni: { ...SNI, unexpected: "any" }, readMs: 300 };
  await using plane = new Plane([], {}, { routing }, "roundrobin", members);
  const named = hello("a.example");
  for (const bytes of [named, hello("b.example")]) {
    const { from, got } = await exchange(plane, [bytes]);
    assert.deepEqual([from, got], [bytes === named ? "g" : "o", bytes]);
  }
  assert.deepEqual([good.count, other.count], [1, 1]);
  await plane.idle();
  assert.equal(plane.count(RETRIES), 1);
});

Deno.test("a backend that resets at once costs no byte of the hello: whoever takes over has all of it, once", async () => {
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.resetAndDestroy();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  await using good = mirror("g");
  const members = [port, good.port].map((port, i) =>
    member(i, { address: "127.0.0.1", port, sni: "a.example" })
  );
  const routing: RoutingSpec = { routes: [], sni: SNI, readMs: 300 };
  await using plane = new Plane([], {}, { routing }, "roundrobin", members);
  const bytes = hello("a.example");
  for (let i = 0; i < 40; i++) {
    const { from, got } = await exchange(plane, [bytes]);
    if (from !== "") assert.deepEqual(got, bytes); // else its kernel had taken them already
  }
  await plane.idle();
  assert(plane.count(RETRIES) > 0, "nobody had to take over");
  assert.equal(plane.counters.active(BACKEND_SLOT), 0);
  await new Promise((resolve) => server.close(resolve));
});

const ROUTES: readonly Route[] = [
  { match: { client: ["192.0.2.0/24"] }, pool: "guests" },
  { match: { sni: [{ how: "suffix", text: ".a.example" }] }, pool: "a" },
  { match: { alpn: [{ how: "equals", text: "acme-tls/1" }] }, pool: "acme" },
];

Deno.test("routes lead by name, protocol and address to pools; whom none takes is refused", async () => {
  await using stack = new AsyncDisposableStack();
  const plane = stack.use(
    new Plane([], {}, { pool: undefined, routing: { routes: ROUTES, readMs: 300 } }),
  );
  const pools = ["guests", "a", "acme"].map((name, i) => {
    const backend = stack.use(mirror(name[0]!.toUpperCase()));
    const members = [member(i, { address: "127.0.0.1", port: backend.port })];
    plane.plane.handle({ kind: "pool", pool: { ...table("roundrobin", members), name } });
    return backend;
  });
  const named = hello("x.a.example");
  const acme = helloWith(alpnOf("h2", "acme-tls/1"));
  for (const [bytes, from] of [[named, "A"], [acme, "A"], [hello("a.example"), ""]] as const) {
    assert.equal((await exchange(plane, [bytes])).from, from);
  }
  assert.deepEqual(pools.map(({ count }) => count), [0, 1, 1]);
  await plane.idle();
  assert.equal(plane.count(NO_ROUTE), 1);
});

Deno.test("routes by address alone serve clients that wait for the server to speak first", async () => {
  await using a = new TcpBackend((conn) => writeAll(conn, encoder.encode("220 ready")));
  const routes: Route[] = [{ match: { client: ["127.0.0.0/8"] }, pool: "pool" }];
  await using plane = new Plane([a.port], {}, {
    pool: undefined,
    routing: { routes, readMs: 100 },
  });
  const client = await plane.connect();
  assert.equal(new TextDecoder().decode(await readAll(client)), "220 ready");
  client.close();
  await plane.idle();
  assert.equal(plane.count(REFUSED), 0);
});

Deno.test("behind a proxy the header's address counts, and the hello may come with it or later", async () => {
  await using a = mirror("a");
  const routes: Route[] = [{
    match: { client: ["192.0.2.0/24"], sni: [{ how: "equals", text: "a.example" }] },
    pool: "pool",
  }];
  await using plane = new Plane([a.port], {}, {
    pool: undefined,
    routing: { routes, readMs: 300 },
    proxy: { send: 0, from: ["127.0.0.1"], readMs: 300 },
  });
  const to = { address: "198.51.100.1", port: 443 };
  const bytes = hello("a.example");
  for (const address of ["192.0.2.7", "192.0.3.7"]) {
    const header = writeV1({ address, port: 1 }, to);
    for (const pieces of [[joined([header, bytes])], [header, bytes]]) {
      const { from, got } = await exchange(plane, pieces);
      assert.equal(from, address === "192.0.2.7" ? "a" : "");
      if (from !== "") assert.deepEqual(got, bytes);
    }
  }
  await plane.idle();
  assert.equal(plane.count(NO_ROUTE), 2);
});

Deno.test("a new table leads the next client, and who has come before but is still talking", async () => {
  await using a = mirror("a");
  await using b = mirror("b");
  const plane = planeOf({ "a.example": a, "b.example": b });
  await using _plane = plane;
  const bytes = hello("b.example");
  using talking = await plane.connect();
  await writeAll(talking, bytes.subarray(0, 20));
  await until(() => plane.sessions === 1);
  Object.assign(plane.server, { routing: undefined });
  plane.setPool([member(3, { address: "127.0.0.1", port: a.port, sni: "c.example" })]);
  plane.serve();
  assert.equal((await exchange(plane, [bytes])).from, "a", "no name is looked at any more");
  await writeAll(talking, bytes.subarray(20));
  await talking.closeWrite();
  const answer = await readAll(talking);
  assert.equal(answer[0], "a".charCodeAt(0));
  assert.deepEqual(answer.subarray(1), bytes);
});

Deno.test("routes that come while a proxy is still telling of a client hold for that client", async () => {
  await using a = mirror("a");
  const proxy = { send: 0, from: ["127.0.0.1"], readMs: 300 } as const;
  await using plane = new Plane([a.port], {}, { proxy });
  using client = await plane.connect();
  const to = { address: "198.51.100.1", port: 443 };
  const header = writeV1({ address: "192.0.2.7", port: 1 }, to);
  await writeAll(client, header.subarray(0, 9));
  await until(() => plane.sessions === 1);
  const sni = [{ how: "equals", text: "a.example" }] as const;
  const routes: Route[] = [{ match: { sni }, pool: "pool" }];
  Object.assign(plane.server, { pool: undefined, routing: { routes, readMs: 300 } });
  plane.serve();
  await writeAll(client, joined([header.subarray(9), hello("a.example")]));
  await client.closeWrite();
  assert.deepEqual((await readAll(client)).subarray(1), hello("a.example"));
  assert.equal((await exchange(plane, [joined([header, hello("b.example")])])).from, "");
});

Deno.test("a client whose pool has gone while it talked is refused, and the worker goes on", async () => {
  await using a = mirror("a");
  await using plane = planeOf({ "a.example": a }, { sni: undefined as never, routes: ROUTES });
  plane.plane.handle({ kind: "pool", pool: { ...table("roundrobin", []), name: "a" } });
  using client = await plane.connect();
  await writeAll(client, hello("x.a.example").subarray(0, 20));
  await until(() => plane.sessions === 1);
  plane.plane.handle({ kind: "forget", pool: "a" });
  await writeAll(client, hello("x.a.example").subarray(20));
  assert.equal((await readAll(client).catch(() => new Uint8Array())).length, 0);
  await plane.idle();
  assert.equal(plane.count(NO_ROUTE), 1);
});
