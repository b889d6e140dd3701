import assert from "node:assert/strict";
import type { ProxyExtra, ServerTable } from "../../../lib/model.ts";
import { BAD_PROXY_HEADER, DENIED, REFUSED, TX, UNKNOWN_PROXY } from "../../../lib/stats/layout.ts";
import { writeV1 } from "../../../protocols/proxy_v1.ts";
import { readV2, writeV2 } from "../../../protocols/proxy_v2.ts";
import { readAll, TcpBackend, until, writeAll } from "../../support/backends.ts";
import { member } from "../../support/members.ts";
import { BACKEND_SLOT, LIMITS, Plane } from "../../support/plane.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("latin1");
const CLIENT = { address: "192.0.2.7", port: 1234 };
const SERVICE = { address: "198.51.100.2", port: 443 };
const HEADERS = [
  { version: 1, header: writeV1(CLIENT, SERVICE) },
  { version: 2, header: writeV2({ source: CLIENT, destination: SERVICE, authority: "a.test" }) },
] as const;

/** Says back all that it gets. */
const mirror = () => new TcpBackend(async (conn) => await writeAll(conn, await readAll(conn)));

function planeOf(
  backend: TcpBackend,
  proxy: Partial<NonNullable<ServerTable["proxy"]>>,
  more = {},
) {
  return new Plane([backend.port], {}, {
    proxy: { send: 0, from: [], readMs: 300, ...proxy },
    ...more,
  });
}

/** What comes back when a client sends these pieces, then its FIN. */
async function exchange(plane: Plane, pieces: readonly Uint8Array[]): Promise<string> {
  using client = await plane.connect();
  for (const piece of pieces) {
    await writeAll(client, piece);
    if (pieces.length > 1) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await client.closeWrite().catch(() => {});
  try {
    return decoder.decode(await readAll(client));
  } catch {
    return ""; // it was reset
  }
}

Deno.test("a backend gets a header of either version before the client's first byte", async () => {
  for (const send of [1, 2] as const) {
    await using backend = mirror();
    await using plane = planeOf(backend, { send });
    using client = await plane.connect();
    const { port } = client.localAddr;
    await writeAll(client, encoder.encode("hello"));
    await client.closeWrite();
    const source = { address: "127.0.0.1", port };
    const destination = { address: "127.0.0.1", port: plane.port };
    const header = send === 1 ? writeV1(source, destination) : writeV2({ source, destination });
    assert.equal(decoder.decode(await readAll(client)), `${decoder.decode(header)}hello`);
    await plane.idle();
    assert.equal(plane.count(TX), 5, "the header is none of the client's bytes");
  }
});

Deno.test("who speaks second isn't waited for: the header goes out at once", async () => {
  await using backend = new TcpBackend(async (conn) => {
    const buffer = new Uint8Array(200);
    const length = await conn.read(buffer) ?? 0;
    await writeAll(conn, buffer.subarray(0, length));
  });
  await using plane = planeOf(backend, { send: 1 });
  using client = await plane.connect();
  assert.match(
    decoder.decode(await readAll(client)),
    /^PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ \d+\r\n$/,
  );
});

Deno.test("a backend may get another header than its server's, or none", async () => {
  await using backend = mirror();
  const said = async (send: 0 | 1 | 2, proxy: 0 | 1 | 2 | undefined) => {
    const members = [member(0, { address: "127.0.0.1", port: backend.port, proxy })];
    const server = { proxy: { send, from: [], readMs: 300 } };
    await using plane = new Plane([], LIMITS, server, "roundrobin", members);
    return await exchange(plane, [encoder.encode("x")]);
  };
  assert.match(await said(1, undefined), /^PROXY TCP4 /);
  assert.equal(await said(1, 0), "x");
  assert.match(await said(0, 1), /^PROXY TCP4 [^\r]+\r\nx$/);
  assert.match(await said(1, 2), /^\r\n\r\n\0\r\nQUIT\n/);
});

Deno.test("what a header of version 2 carries is what the server's extras name, as far as it is known", async () => {
  const headers: Uint8Array[] = [];
  await using backend = new TcpBackend(async (conn) => {
    const buffer = new Uint8Array(1000);
    headers.push(buffer.subarray(0, (await conn.read(buffer))!));
  });
  const read = async (extras: readonly ProxyExtra[]) => {
    await using plane = planeOf(backend, { send: 2, extras });
    using client = await plane.connect();
    await readAll(client).catch(() => {});
    const header = readV2(headers.at(-1)!);
    assert(typeof header === "object");
    return header;
  };
  assert.equal((await read([])).uniqueId, undefined);
  const { uniqueId, authority, ssl } = await read(["authority", "unique_id", "ssl", "crc32c"]);
  assert.match(decoder.decode(uniqueId), /^[0-9a-f-]{36}$/);
  assert.deepEqual([authority, ssl], [undefined, undefined], "the client speaks plainly");
  assert.equal(headers.at(-1)!.length - headers[0]!.length, 3 + 36 + 3 + 4);
});

Deno.test("another backend that takes over gets a header, too", async () => {
  let resets = 0;
  await using bad = new TcpBackend(async (conn) => {
    resets++;
    await conn.read(new Uint8Array(1)); // closing with unread bytes resets
  });
  await using good = mirror();
  await using plane = new Plane([bad.port, good.port], {}, {
    proxy: { send: 1, from: [], readMs: 300 },
  });
  for (let i = 0; i < 6; i++) {
    const said = await exchange(plane, [encoder.encode("x")]);
    if (said !== "") assert.match(said, /^PROXY TCP4 [^\r]+\r\nx$/);
  }
  assert(resets > 0, "the bad one was never met");
});

for (const { version, header } of HEADERS) {
  Deno.test(`a trusted proxy's header of version ${version} says who the client is, however it is cut`, async () => {
    await using backend = mirror();
    await using plane = planeOf(backend, { send: 1, from: ["127.0.0.0/8"] });
    const line = decoder.decode(writeV1(CLIENT, SERVICE));
    const rest = encoder.encode("hello");
    assert.equal(await exchange(plane, [Uint8Array.of(...header, ...rest)]), `${line}hello`);
    assert.equal(await exchange(plane, [header, rest]), `${line}hello`);
    assert.equal(await exchange(plane, [header]), line);
    for (let at = 1; at < header.length; at++) {
      const pieces = [header.slice(0, at), Uint8Array.of(...header.slice(at), ...rest)];
      assert.equal(await exchange(plane, pieces), `${line}hello`, `cut at ${at}`);
    }
    const bytes = [...header, ...rest].map((byte) => Uint8Array.of(byte));
    assert.equal(await exchange(plane, bytes), `${line}hello`);
    await plane.idle();
  });

  Deno.test(`a header of version ${version} that is wrong at any byte, ends or doesn't come is refused undialled`, async () => {
    await using backend = mirror();
    await using plane = planeOf(backend, { from: ["127.0.0.1"] });
    const sure = version === 1 ? header.length : 12; // later bytes may be others
    for (let at = 0; at < sure; at++) {
      const wrong = header.slice();
      wrong[at] = 0xff;
      assert.equal(await exchange(plane, [wrong, encoder.encode("x")]), "", `byte ${at}`);
    }
    assert.equal(plane.count(BAD_PROXY_HEADER), sure);
    assert.equal(await exchange(plane, [header.slice(0, -1)]), "");
    assert.equal(plane.count(BAD_PROXY_HEADER), sure + 1);
    using silent = await plane.connect();
    const since = performance.now();
    assert.equal((await readAll(silent)).length, 0);
    const took = performance.now() - since;
    assert(took > 250 && took < 2_000, `${took} ms`);
    await until(() => plane.count(BAD_PROXY_HEADER) === sure + 2);
    assert.equal(plane.count(REFUSED), sure + 2);
    assert.equal(backend.count, 0);
    await plane.idle();
  });
}

Deno.test("nobody but trusted proxies may connect; access rules are about the client", async () => {
  await using backend = mirror();
  await using far = planeOf(backend, { from: ["10.0.0.0/8"] });
  assert.equal(await exchange(far, [HEADERS[0].header]), "");
  assert.equal(far.count(UNKNOWN_PROXY), 1);
  const access = { allowByDefault: true, rules: [{ allow: false, cidr: "192.0.2.0/24" }] };
  await using near = planeOf(backend, { from: ["127.0.0.1"] }, { access });
  assert.equal(await exchange(near, [HEADERS[1].header]), "");
  assert.equal(near.count(DENIED), 1);
  const other = writeV1({ ...CLIENT, address: "192.0.3.1" }, SERVICE);
  assert.equal(await exchange(near, [other, encoder.encode("x")]), "x");
  const own = writeV2({}); // LOCAL: the proxy speaks for itself
  assert.equal(await exchange(near, [own, encoder.encode("x")]), "x");
  assert.equal(backend.count, 2);
  await near.idle();
});

Deno.test("strategies that go by the client go by the header's", async () => {
  await using one = new TcpBackend((conn) => writeAll(conn, encoder.encode("1")));
  await using two = new TcpBackend((conn) => writeAll(conn, encoder.encode("2")));
  await using plane = new Plane(
    [one.port, two.port],
    {},
    { proxy: { send: 0, from: ["127.0.0.1"], readMs: 300 } },
    "iphash",
  );
  const from = async (address: string) =>
    await exchange(plane, [writeV1({ address, port: 1 }, SERVICE)]);
  const seen = new Map<string, Set<string>>();
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 16; i++) {
      const address = `192.0.2.${i}`;
      seen.set(address, (seen.get(address) ?? new Set()).add(await from(address)));
    }
  }
  assert([...seen.values()].every((backends) => backends.size === 1), "a client has moved");
  assert.equal(new Set([...seen.values()].flatMap((backends) => [...backends])).size, 2);
  assert.equal(plane.count(REFUSED, BACKEND_SLOT), 0);
});
