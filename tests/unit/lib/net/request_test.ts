import assert from "node:assert/strict";
import { request, stream } from "../../../../lib/net/request.ts";
import { TcpBackend, writeAll } from "../../../support/backends.ts";

const encoder = new TextEncoder();
const LIMIT_MS = 5_000;

/** A server that says these pieces to whoever connects, and then nothing more. */
function saying(pieces: Iterable<string>, then: "waits" | "ends" = "waits"): TcpBackend {
  return new TcpBackend(async (conn) => {
    await conn.read(new Uint8Array(4096));
    for (const piece of pieces) await writeAll(conn, encoder.encode(piece));
    if (then === "waits") await conn.read(new Uint8Array(1));
  });
}

const ask = (server: TcpBackend, more = {}) =>
  request({
    url: new URL(`http://${server.address}/`),
    signal: AbortSignal.timeout(LIMIT_MS),
    ...more,
  });

Deno.test("request() isn't held up by an answer that switches protocols", async () => {
  const switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n";
  await using server = saying([switching]);
  const since = performance.now();
  await assert.rejects(ask(server), /without an answer/);
  assert(performance.now() - since < LIMIT_MS / 2);
});

Deno.test("request() gives up a server that goes on saying 100 Continue", async () => {
  await using server = saying(Array(100).fill("HTTP/1.1 100 Continue\r\n\r\n"));
  await assert.rejects(ask(server), /100 Continue without end/);
});

Deno.test("request() takes a body in a hundred thousand pieces without keeping each", async () => {
  const pieces = function* () {
    yield "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (let i = 0; i < 100; i++) yield "1\r\nx\r\n".repeat(1000);
    yield "0\r\n\r\n";
  };
  await using server = saying(pieces());
  const { status, text } = await ask(server);
  assert.deepEqual([status, text.length], [200, 100_000]);
});

Deno.test("request() bounds a body, or takes its beginning", async () => {
  const head = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
  for (const cut of [false, true]) {
    await using server = saying([head, "x".repeat(100_000)]);
    const asked = ask(server, { maxBytes: 50_000, cut });
    if (cut) assert.equal((await asked).text.length, 50_000);
    else await assert.rejects(asked, /the answer is longer than 0 MiB/);
  }
});

Deno.test("stream() gives lines over any pieces, and bounds one without an end", async () => {
  const head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
  await using server = saying([head, "a\r", "\nb", "c\n", "", "d"], "ends");
  const url = (server: TcpBackend) => new URL(`http://${server.address}/`);
  const signal = AbortSignal.timeout(LIMIT_MS);
  const { lines } = await stream({ url: url(server), signal });
  assert.deepEqual(await Array.fromAsync(lines), ["a", "bc", "d"]);
  await using endless = saying([head, ...Array(20).fill("x".repeat(1000))], "ends");
  const long = await stream({ url: url(endless), signal, maxBytes: 10_000 });
  await assert.rejects(Array.fromAsync(long.lines), /a line of the answer is too long/);
});
