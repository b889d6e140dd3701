import assert from "node:assert/strict";
import { StartError } from "../../../../lib/errors.ts";
import { urlSource } from "../../../../lib/source/url.ts";
import { until } from "../../../support/backends.ts";
import { pem } from "../../../support/api.ts";
import { ManualClock } from "../../../support/clock.ts";
import { fromFileUrl } from "../../../support/paths.ts";
import { type Answer, Hang, WebServer } from "../../../support/web_server.ts";

type Options = Partial<Parameters<typeof urlSource>[1]>;

function sourceOf(url: string, options: Options = {}) {
  return urlSource(url, {
    intervalMs: 30_000,
    clock: new ManualClock(),
    random: () => 0,
    ...options,
  });
}

async function failure(reading: Promise<unknown>): Promise<string> {
  try {
    await reading;
  } catch (error) {
    assert.ok(error instanceof StartError, String(error));
    return `${error.message}\n${error.hint}`;
  }
  assert.fail("it reads");
}

function text(body: string, headers: Record<string, string> = {}): Answer {
  return () => new Response(body, { headers: { "content-type": "text/plain", ...headers } });
}

Deno.test.each(
  [
    { path: "/a.json", type: "text/plain", told: undefined, format: "json" },
    { path: "/a.toml", type: "application/json", told: undefined, format: "toml" },
    { path: "/a.json?x=.toml", type: "text/plain", told: undefined, format: "json" },
    { path: "/a", type: "application/json; charset=utf-8", told: undefined, format: "json" },
    { path: "/a", type: "application/vnd.x+json", told: undefined, format: "json" },
    { path: "/a", type: "text/html", told: undefined, format: "toml" },
    { path: "/a.json", type: "application/json", told: "toml", format: "toml" },
  ] as const,
)("from a URL $path of type $type with -f $told is $format", async (each) => {
  await using server = new WebServer(text("é", { "content-type": each.type }));
  const url = `http://${server.address}${each.path}`;
  const base = await sourceOf(url, { format: each.told }).read();
  assert.deepEqual(base, { text: "é", file: url, format: each.format });
});

Deno.test("a login in the URL is sent, and shown nowhere", async () => {
  await using server = new WebServer(() => new Response("no", { status: 403 }));
  const source = sourceOf(`http://me:p%40ss@${server.address}/a?token=abc#d`);
  const shown = `http://me:********@${server.address}/a?token=********`;
  assert.deepEqual(source.about, { kind: "url", url: shown });
  assert.equal(
    await failure(source.read()),
    `${shown}: the server answers with status 403\n` +
      "give a login that may read it: https://LOGIN:PASSWORD@HOST/PATH",
  );
  assert.equal(server.requests[0]!.headers.get("authorization"), `Basic ${btoa("me:p@ss")}`);
  assert.equal(server.requests[0]!.url, `http://${server.address}/a?token=abc`);
  const token = sourceOf(`http://secret@${server.address}/`);
  assert.deepEqual(token.about, { kind: "url", url: `http://********@${server.address}/` });
});

Deno.test.each([
  { status: 500, hint: "the server has a problem of its own; look at its log" },
  { status: 404, hint: "check the path" },
  { status: 304, hint: "check the address; it must answer with status 200" },
])("status $status of a URL is an error that names it", async ({ status, hint }) => {
  await using server = new WebServer(() => new Response(null, { status }));
  const url = `http://${server.address}/`;
  const told = await failure(sourceOf(url).read());
  assert.equal(told, `${url}: the server answers with status ${status}\n${hint}`);
});

Deno.test("redirects are followed, but not from https to http", async () => {
  await using plain = new WebServer(text("a"));
  const to = `http://${plain.address}/a`;
  const redirect = () => new Response(null, { status: 302, headers: { location: to } });
  await using first = new WebServer(redirect);
  assert.equal((await sourceOf(`http://${first.address}/`).read()).text, "a");
  await using secure = new WebServer(redirect, { cert: await pem("cert"), key: await pem("key") });
  const caFile = fromFileUrl(new URL("../../../fixtures/api/ca.pem", import.meta.url));
  const url = `https://${secure.address}/`;
  assert.match(await failure(sourceOf(url, { caFile }).read()), /redirects to plain http/);
});

Deno.test("https needs a certificate of a trusted authority, which a file can name", async () => {
  await using server = new WebServer(text("a"), { cert: await pem("cert"), key: await pem("key") });
  const url = `https://${server.address}/`;
  assert.match(await failure(sourceOf(url).read()), /: invalid peer certificate: UnknownIssuer\n/);
  const folder = new URL("../../../fixtures/api/", import.meta.url);
  const fixture = (name: string) => fromFileUrl(new URL(name, folder));
  assert.equal((await sourceOf(url, { caFile: fixture("ca.pem") }).read()).text, "a");
  await assert.rejects(sourceOf(url, { caFile: fixture("key.pem") }).read(), {
    message: `${fixture("key.pem")} holds no CERTIFICATE in PEM form`,
    usage: true,
  });
});

Deno.test("what a URL gives must be UTF-8 text of at most 8 MiB, in time", async () => {
  await using server = new WebServer(() => new Response(new Uint8Array([0xff])));
  const url = `http://${server.address}/`;
  const told = () => failure(sourceOf(url, { timeoutMs: 200 }).read());
  assert.match(await told(), /: sends what is not UTF-8 text\n/);
  let sent = 0;
  const endless = new ReadableStream({
    pull(controller) {
      sent += 65_536;
      controller.enqueue(new Uint8Array(65_536).fill(32));
    },
  });
  server.answer = () => new Response(endless);
  assert.match(await failure(sourceOf(url).read()), /: sends more than 8 MiB\n/);
  assert.ok(sent < 64 * 1024 * 1024, `${sent} bytes were sent`);
  const hang = new Hang();
  server.answer = hang.answer;
  assert.match(await told(), /: no answer within 0\.2 s\nis the address right, and can this host/);
  hang.end();
  const { port } = new URL(url);
  await server[Symbol.asyncDispose]();
  assert.match(await told(), new RegExp(`^http://127\\.0\\.0\\.1:${port}/: connection refused\n`));
});

Deno.test("a URL is asked whether it has changed, and tells of what has", async () => {
  const served = { text: "a", etag: '"1"' };
  const server = new WebServer((request) => {
    const same = request.headers.get("if-none-match") === served.etag;
    const headers = { etag: served.etag, "last-modified": "Sat, 21 Nov 2026 14:00:00 GMT" };
    return new Response(same ? null : served.text, { status: same ? 304 : 200, headers });
  });
  await using _server = server;
  const clock = new ManualClock();
  const source = sourceOf(`http://${server.address}/a`, { clock });
  const told: string[] = [];
  assert.equal((await source.read()).text, "a");
  assert.equal((await source.read()).text, "a", "a reload gets the text of a 304, too");
  const stop = new AbortController();
  const ended = source.watch!({
    changed: ({ text }) => told.push(text),
    failed: (why) => told.push(why.replace(/^[^ ]* /, "")),
    recovered: () => told.push("recovered"),
  }, stop.signal);
  const pass = async (ms: number) => {
    const before = server.requests.length;
    await clock.advance(ms);
    await until(() => server.requests.length === before + 1 && clock.sleeping === 1);
  };
  assert.equal(server.requests.length, 2, "it was just read: there is time");
  await pass(30_000);
  assert.equal(server.requests.at(-1)!.headers.get("if-none-match"), '"1"');
  assert.match(server.requests.at(-1)!.headers.get("if-modified-since")!, /^Sat, 21 Nov 2026/);
  assert.deepEqual(told, []);
  Object.assign(served, { text: "b", etag: '"2"' });
  await pass(30_000);
  Object.assign(served, { etag: '"3"' });
  await pass(30_000);
  assert.deepEqual(told, ["b"], "a text that is the same isn't told");
  const { answer } = server;
  server.answer = () => new Response("", { status: 500 });
  await pass(30_000);
  await pass(1_000);
  server.answer = answer;
  await pass(2_000);
  assert.deepEqual(told.slice(1), [
    "the server answers with status 500; the server has a problem of its own; look at its log",
    "recovered",
  ]);
  stop.abort();
  await ended;
});

Deno.test("a URL isn't watched with interval 0, and must be one of http or https", () => {
  assert.equal(sourceOf("http://a/", { intervalMs: 0 }).watch, undefined);
  for (const url of ["a.toml", "ftp://a:b@c/", "file:///a"]) {
    assert.throws(() => sourceOf(url), {
      message: `"${url.replace("a:b@", "a:********@")}" is not a URL of http or https`,
      usage: true,
    });
  }
});
