import assert from "node:assert/strict";
import type { ApiHandler, Listen } from "../../../api/listen.ts";
import { type ApiServer, serveApi, type ServeHooks } from "../../../api/serve.ts";
import { StartError } from "../../../lib/errors.ts";
import type { ApiSpec } from "../../../lib/model.ts";
import { ManualClock, settle } from "../../support/clock.ts";
import { fakeApi } from "../../support/control.ts";
import { MemoryLog } from "../../support/log.ts";

const HELLO: ApiHandler = { fetch: (_, { client }) => new Response(`hello ${client}`) };

function specOf(hostname = "127.0.0.1", port = 0): ApiSpec {
  const text = hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
  return { bind: { hostname, port, text }, cors: false, allow: [] };
}

function serve(app: ApiHandler, hooks: Partial<ServeHooks> = {}, spec = specOf()) {
  return serveApi(spec, app, { log: new MemoryLog(), ...hooks });
}

function pem(name: string): Promise<string> {
  return Deno.readTextFile(new URL(`../../fixtures/api/${name}.pem`, import.meta.url));
}

/** Sends bytes over TCP; what comes back until the other side closes. */
async function exchange({ port }: ApiServer, text: string): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new TextEncoder().encode(text));
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

/** What the start fails with. */
async function startError(spec: ApiSpec, hooks: Partial<ServeHooks> = {}): Promise<StartError> {
  const error = await serve(HELLO, hooks, spec).then(() => undefined, (error: unknown) => error);
  assert.ok(error instanceof StartError, String(error));
  return error;
}

Deno.test("serveApi() names the bind and who has it when it is taken", async () => {
  const api = await serve(HELLO);
  const error = await startError(specOf("127.0.0.1", api.port));
  assert.equal(error.message, `the API can't listen on 127.0.0.1:${api.port}: address in use`);
  assert.equal(error.hint, `see who has it: ss -ltnp 'sport = :${api.port}'`);
  await api.close();
});

Deno.test("serveApi() names the remedies for a low port", async () => {
  const listen = () => {
    throw new Deno.errors.PermissionDenied("Permission denied (os error 13)");
  };
  const error = await startError(specOf("127.0.0.1", 80), { listen });
  assert.equal(error.message, "the API can't listen on 127.0.0.1:80: permission denied");
  assert.match(error.hint, /sysctl net\.ipv4\.ip_unprivileged_port_start=0.*setcap /);
});

Deno.test("serveApi() refuses an address of another host", async () => {
  const error = await startError(specOf("192.0.2.1"));
  assert.equal(error.message, "the API can't listen on 192.0.2.1:0: not an address of this host");
});

Deno.test("serveApi() refuses a certificate that is none, and a key of another", async () => {
  const cert = await pem("cert");
  const key = await pem("key");
  for (
    const tls of [{ cert: "none", key }, { cert, key: "none" }, { cert: await pem("ca"), key }]
  ) {
    const error = await startError(specOf(), { tls });
    assert.match(error.message, /^the API's certificate or key can't be used: ./);
    assert.equal(
      error.hint,
      "api.tls.cert_path and api.tls.key_path name PEM files: a certificate and its own key",
    );
  }
});

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
    text: "GET /%zz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    status: 404,
    body: `{\n    "error": "there is nothing at \\"/%zz\\""\n}`,
  },
  {
    name: "OPTIONS *",
    text: "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    status: 404,
    body: `{\n    "error": "there is nothing at \\"/*\\""\n}`,
  },
  {
    name: "CONNECT",
    text: "CONNECT a:1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    status: 404,
    body: `{\n    "error": "there is nothing at \\"1\\""\n}`,
  },
  {
    name: "a body too long",
    text: "POST /ping HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n" +
      "Content-Length: 9999999\r\nConnection: close\r\n\r\n{",
    status: 413,
    body: `{\n    "error": "the body is too long",\n    "hint": "at most 1048576 bytes"\n}`,
  },
  {
    name: "HEAD",
    text: "HEAD /ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
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

Deno.test("close() frees the port at once and lets a running request finish", async () => {
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
  Deno.listen({ hostname: "127.0.0.1", port: api.port }).close();
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
});

/** Listeners that end when the test says so; `broken` makes opening fail. */
class FakeListeners {
  readonly ports: (number | undefined)[] = [];
  broken = false;
  #end = Promise.withResolvers<void>();

  readonly listen: Listen = ({ port }) => {
    this.ports.push(port);
    if (this.broken) throw new Error("Too many open files (os error 24)");
    const end = this.#end = Promise.withResolvers<void>();
    const addr = { transport: "tcp", hostname: "127.0.0.1", port: port || 4321 } as const;
    return {
      addr,
      finished: end.promise,
      shutdown: () => {
        end.resolve();
        return end.promise;
      },
    };
  };

  async fail(error?: Error): Promise<void> {
    if (error === undefined) this.#end.resolve();
    else this.#end.reject(error);
    await settle();
  }
}

Deno.test("serveApi() opens a failed listener again on the same port, as often as it takes", async () => {
  const clock = new ManualClock();
  const log = new MemoryLog();
  const fake = new FakeListeners();
  const api = await serve(HELLO, { clock, log, listen: fake.listen });
  assert.equal(api.port, 4321);
  await fake.fail(new Error("Too many open files (os error 24)"));
  fake.broken = true;
  await clock.advance(2_000);
  assert.deepEqual(fake.ports, [0, 4321, 4321]);
  fake.broken = false;
  await clock.advance(1_000);
  assert.deepEqual(fake.ports, [0, 4321, 4321, 4321]);
  await fake.fail();
  await clock.advance(1_000);
  assert.equal(fake.ports.length, 5);
  assert.deepEqual(log.lines, [
    "error the API's listener failed; it is opened again soon " +
    "error=out of file descriptors (raise the limit: ulimit -n)",
    "info the API listens again port=4321",
    "error the API's listener failed; it is opened again soon error=it ended",
    "info the API listens again port=4321",
  ]);
  await api.close();
  await clock.advance(10_000);
  assert.equal(fake.ports.length, 5);
});

Deno.test("close() ends the wait for a failed listener", async () => {
  const clock = new ManualClock();
  const fake = new FakeListeners();
  const api = await serve(HELLO, { clock, listen: fake.listen });
  await fake.fail(new Error("broken"));
  await api.close();
  await clock.advance(10_000);
  assert.deepEqual(fake.ports, [0]);
});
