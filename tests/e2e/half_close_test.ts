/** 1,000 exchanges in which one side ends its direction first, each byte compared. */
import assert from "node:assert/strict";
import { readAll, TcpBackend, writeAll } from "../support/backends.ts";
import { connect, noise } from "../support/clients.ts";
import { staticServer } from "../support/static_server.ts";
import { Twixt } from "../support/twixt.ts";

const EXCHANGES = 1_000;
const MOST_BYTES = 300 << 10;
const timeout = 120_000;

/** Lengths that look random, the smallest and the largest among them. */
function lengthOf(index: number, salt: number): number {
  if (index < 4) return index;
  if (index === 4) return MOST_BYTES;
  const [a = 0, b = 0, c = 0] = noise(index * 2 + salt, 3);
  const length = ((a << 16) | (b << 8) | c) % (MOST_BYTES + 1);
  return index % 2 === 0 ? length : length >> 8; // small ones as often as large ones
}

function question(index: number): Uint8Array<ArrayBuffer> {
  return noise(index, lengthOf(index, 0));
}

function answer(index: number): Uint8Array<ArrayBuffer> {
  return noise(index + EXCHANGES, lengthOf(index, 1));
}

function start(backend: TcpBackend): Promise<Twixt> {
  return Twixt.start({ config: { workers: 2, servers: { web: staticServer([backend]) } } });
}

Deno.test("1,000 exchanges are byte-exact when the client ends its side first", {
  timeout,
}, async () => {
  let served = 0;
  const wrong: number[] = [];
  await using backend = new TcpBackend(async (conn) => {
    const index = served++;
    const bytes = await readAll(conn); // answers only after the client's end
    if (!same(bytes, question(index))) wrong.push(index);
    await writeAll(conn, answer(index));
  });
  await using twixt = await start(backend);
  const before = await twixt.descriptors();
  let bytes = 0;
  for (let index = 0; index < EXCHANGES; index++) {
    using conn = await connect(twixt.port("web"));
    await writeAll(conn, question(index));
    await conn.closeWrite();
    const got = await readAll(conn);
    assert(same(got, answer(index)), `exchange ${index}: ${got.length} bytes came back`);
    bytes += got.length;
  }
  console.log(`${served} exchanges, client first: ${bytes} bytes came back, ${wrong.length} wrong`);
  assert.deepEqual(wrong, []);
  assert.equal(served, EXCHANGES);
  await twixt.descriptorsReturn(before);
});

Deno.test("1,000 exchanges are byte-exact when the backend ends its side first", {
  timeout,
}, async () => {
  let served = 0;
  let compared = Promise.withResolvers<void>();
  const wrong: number[] = [];
  await using backend = new TcpBackend(async (conn) => {
    const index = served++;
    await writeAll(conn, answer(index));
    await conn.closeWrite();
    const bytes = await readAll(conn);
    if (!same(bytes, question(index))) wrong.push(index);
    compared.resolve();
  });
  await using twixt = await start(backend);
  const before = await twixt.descriptors();
  for (let index = 0; index < EXCHANGES; index++) {
    compared = Promise.withResolvers();
    using conn = await connect(twixt.port("web"));
    const got = await readAll(conn); // speaks only after the backend's end
    assert(same(got, answer(index)), `exchange ${index}: ${got.length} bytes came`);
    await writeAll(conn, question(index));
    await conn.closeWrite();
    await compared.promise;
  }
  console.log(`${served} exchanges, backend first: ${wrong.length} wrong`);
  assert.deepEqual(wrong, []);
  assert.equal(served, EXCHANGES);
  await twixt.descriptorsReturn(before);
});

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
