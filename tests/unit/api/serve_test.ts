import assert from "node:assert/strict";
import type { ApiServer } from "../../../api/serve.ts";
import { HELLO, pem, serve, specOf } from "../../support/api.ts";
import { ManualClock } from "../../support/clock.ts";
import { fakeApi } from "../../support/control.ts";
import { MemoryLog } from "../../support/log.ts";

/** Sends bytes over TCP; what comes back until the other side closes. */
async function exchange({ port }: ApiServer, text: string): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.writable.getWriter().write(new TextEncoder().encode(text));
  return await new Response(connection.readable).text();
}

Deno.test.each([
  { hostname: "127.0.0.1", url: "127.0.0.1" },
  { hostname: "::1", url: "[::1]" },
])("serveApi() listens on $hostname and tells the real port", async ({ hostname, url }) => {
  const told: unknown[] = [];
  const api = await serve(
    HELLO,
    { onListening: (address) => told.push(address) },
    specOf(hostname),
  );
  assert.ok(api.port > 0);
  assert.deepEqual(told, [{ hostname, port: api.port }]);
  const answer = await fetch(`http://${url}:${api.port}/`, { headers: { connection: "close" } });
  assert.equal(await answer.text(), `hello ${hostname}`);
  await api.close();
});

Deno.test("serveApi() speaks HTTPS with a certificate", async () => {
  const tls = { cert: await pem("cert"), key: await pem("key") };
  const spec = { ...specOf(), tls: { certPath: "cert.pem", keyPath: "key.pem" } };
  const api = await serve(HELLO, { tls }, spec);
  {
    using client = Deno.createHttpClient({ caCerts: [await pem("ca")] });
    const init = { method: "GET", client }; // the types of a browser's fetch know no client
    const answer = await fetch(`https://127.0.0.1:${api.port}/`, init);
    assert.equal(await answer.text(), "hello 127.0.0.1");
  }
  await api.close();
  await assert.rejects(serve(HELLO, {}, spec), /nobody has read its certificate/);
});

Deno.test("serveApi() warns of an API that other hosts reach without a login", async () => {
  const log = new MemoryLog();
  const api = await serve(HELLO, { log }, specOf("0.0.0.0"));
  assert.deepEqual(log.lines, [
    "warning the API has no login and other hosts reach it: they may read; " +
    'set api.basic_auth, or bind = "127.0.0.1:PORT" bind=0.0.0.0:0',
  ]);
  await api.close();
});

/** Resolves when the port can be bound: the runtime closes its listener a moment later. */
async function isFree(port: number): Promise<void> {
  for (let turn = 0; turn < 1_000; turn++) {
    try {
      return Deno.listen({ hostname: "127.0.0.1", port }).close();
    } catch {
      await new Promise((resolve) => setTimeout(resolve)); // still in use
    }
  }
  assert.fail(`port ${port} is still in use`);
}

Deno.test.each([
  { name: "garbage", text: "garbage\r\n\r\n", status: 400, body: "" },
  {
    name: "no Host",
    text: "GET /ping HTTP/1.1\r\nConnection: close\r\n\r\n",
    status: 200,
    body: "OK",
  },
  {
    name: "a Host that is none",
    text: "GET /ping HTTP/1.1\r\nHost: %%%\r\nConnection: close\r\n\r\n",
    status: 200,
    body: "OK",
  },
  {
    name: "a path that can't be decoded",
    text: "GET /%zz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
    status: 404,
    body: `{\n    "error": "there is nothing at \\"/%zz\\""\n}`,
  },
  {
    name: "OPTIONS *",
    text: "OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
    status: 404,
    body: `{\n    "error": "there is nothing at \\"/*\\""\n}`,
  },
  {
    name: "CONNECT",
    text: "CONNECT a:1 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
    status: 404,
    body: `{\n    "error": "there is nothing at \\"1\\""\n}`,
  },
  {
    name: "TRACE",
    text: "TRACE /ping HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
    status: 405,
    body: `{\n    "error": "TRACE doesn't work on \\"/ping\\"",\n    "hint": "One of GET, HEAD"\n}`,
  },
  {
    name: "a body of unknown length under a Host that is none",
    text: "POST /ping HTTP/1.1\r\nHost: %%%\r\nTransfer-Encoding: chunked\r\n" +
      "Connection: close\r\n\r\n0\r\n\r\n",
    status: 400,
    body: `{\n    "error": "the Host header is not a host"\n}`,
  },
  {
    name: "chunks of JSON",
    text: "POST /ping HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n" +
      "Content-Type: application/json\r\nConnection: close\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
    status: 405,
    body: `{\n    "error": "POST doesn't work on \\"/ping\\"",\n    "hint": "One of GET, HEAD"\n}`,
  },
  {
    name: "a body too long",
    text: "POST /ping HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n" +
      "Content-Length: 1048577\r\nConnection: close\r\n\r\n" + "1".repeat(1048577),
    status: 413,
    body: `{\n    "error": "the body is too long",\n    "hint": "at most 1048576 bytes"\n}`,
  },
  {
    name: "HEAD",
    text: "HEAD /ping HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
    status: 200,
    body: "",
  },
])("the API answers $status to $name, and goes on", async ({ text, status, body }) => {
  const api = await serve(fakeApi());
  const answer = await exchange(api, text);
  assert.equal(answer.slice(0, 12), `HTTP/1.1 ${status}`);
  assert.equal(answer.slice(answer.indexOf("\r\n\r\n") + 4), body);
  if (text.startsWith("HEAD")) assert.match(answer, /\r\ncontent-length: 2\r\n/);
  assert.match(await exchange(api, "GET /ping HTTP/1.0\r\n\r\n"), /OK$/);
  await api.close();
});

Deno.test("a handler that throws is answered 500 and logged", async () => {
  const log = new MemoryLog();
  const api = await serve({ fetch: () => Promise.reject(new Error("broken")) }, { log });
  const answer = await exchange(api, "GET / HTTP/1.0\r\n\r\n");
  assert.match(answer, /^HTTP\/1\.0 500 .*"error": "internal error"/s);
  assert.doesNotMatch(answer, /broken/);
  assert.match(log.lines[0]!, /^error a request to the API failed request=a request error=broken/);
  await api.close();
});

Deno.test("close() frees the port and lets a running request finish", async () => {
  const arrived = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const api = await serve({
    fetch: async () => {
      arrived.resolve();
      await go.promise;
      return new Response("finished");
    },
  });
  const answer = exchange(api, "GET / HTTP/1.0\r\n\r\n");
  await arrived.promise;
  const closed = api.close();
  assert.equal(api.close(), closed);
  await isFree(api.port);
  go.resolve();
  await closed;
  assert.match(await answer, /finished$/);
  await api.close();
});

Deno.test("close() ends answers that go on for ever and connections that say nothing", async () => {
  const log = new MemoryLog();
  const api = await serve({
    fetch: (_, { closing }) =>
      new Response(
        new ReadableStream({
          start(stream) {
            stream.enqueue(new TextEncoder().encode("event"));
            closing.addEventListener("abort", () => stream.close());
          },
        }),
      ),
  }, { log });
  using silent = await Deno.connect({ port: api.port });
  using half = await Deno.connect({ port: api.port });
  await half.write(new TextEncoder().encode("GET / HT"));
  const answer = await fetch(`http://127.0.0.1:${api.port}/`);
  const text = answer.text();
  await api.close();
  assert.equal(await text, "event");
  assert.equal(await silent.read(new Uint8Array(1)), null);
  assert.deepEqual(log.lines, []);
});

Deno.test("close() waits 2 seconds for a request, no longer", async () => {
  const clock = new ManualClock();
  const log = new MemoryLog();
  const arrived = Promise.withResolvers<void>();
  const go = Promise.withResolvers<Response>();
  const app = {
    fetch: () => {
      arrived.resolve();
      return go.promise;
    },
  };
  const api = await serve(app, { clock, log });
  const answer = exchange(api, "GET / HTTP/1.0\r\n\r\n");
  await arrived.promise;
  let closed = false;
  const closing = api.close().then(() => closed = true);
  await clock.advance(1_999);
  assert.equal(closed, false);
  await clock.advance(1);
  await closing;
  assert.deepEqual(log.lines, ["warning requests to the API are still open; left alone"]);
  go.resolve(new Response("late"));
  assert.match(await answer, /late$/);
  await new Promise((resolve) => setTimeout(resolve, 50)); // what was left alone ends by itself
});
