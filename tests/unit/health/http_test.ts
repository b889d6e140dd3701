import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { createServer } from "node:tls";
import { parseStatusRanges } from "../../../health/_http_check.ts";
import { ConfigError, printProblem } from "../../../lib/errors.ts";
import { TcpBackend, writeAll } from "../../support/backends.ts";
import { checkOnce, checkSpec } from "../../support/checks.ts";
import { fromFileUrl } from "../../support/paths.ts";
import { type Answer, WebServer } from "../../support/web_server.ts";

const pem = (name: string) =>
  fromFileUrl(new URL(`../../fixtures/api/${name}.pem`, import.meta.url));
const port = (server: WebServer) => Number(server.address.split(":")[1]);

Deno.test.each([
  { text: "200", ranges: [[200, 200]] },
  { text: "200-399", ranges: [[200, 399]] },
  { text: "204, 300-302,404", ranges: [[204, 204], [300, 302], [404, 404]] },
  { text: "", ranges: undefined },
  { text: "2xx", ranges: undefined },
  { text: "399-200", ranges: undefined },
  { text: "200,", ranges: undefined },
  { text: "99", ranges: undefined },
  { text: "600", ranges: undefined },
  { text: "200-", ranges: undefined },
])("parseStatusRanges() makes $ranges of $text", ({ text, ranges }) => {
  assert.deepEqual(parseStatusRanges(text), ranges);
});

const page = () => new Response("<p>All is well</p>");
const CASES: { keys: Record<string, unknown>; answer: Answer; text: string; passed?: true }[] = [
  { keys: {}, answer: page, text: "status 200", passed: true },
  { keys: { http_method: "HEAD" }, answer: page, text: "status 200", passed: true },
  {
    keys: {},
    answer: () => new Response("", { status: 302, headers: { location: "/other" } }),
    text: "status 302",
    passed: true,
  },
  {
    keys: {},
    answer: () => new Response("", { status: 503 }),
    text: "status 503, expected 200-399",
  },
  {
    keys: { http_status: "503" },
    answer: () => new Response("", { status: 503 }),
    text: "status 503",
    passed: true,
  },
  { keys: { http_body_contains: "is well" }, answer: page, text: "status 200", passed: true },
  {
    keys: { http_body_contains: "is ill" },
    answer: page,
    text: 'status 200, but the body doesn\'t contain "is ill"',
  },
  {
    keys: { http_body_matches: "(?i)ALL .* WELL" },
    answer: page,
    text: "status 200",
    passed: true,
  },
  {
    keys: { http_body_matches: "^All" },
    answer: page,
    text: 'status 200, but the body doesn\'t match "^All"',
  },
  {
    keys: { http_body_contains: "far away" },
    answer: () => new Response(`${"x".repeat(65_536)}far away`),
    text: 'status 200, but the body doesn\'t contain "far away"',
  },
  {
    keys: { http_body_contains: "near" },
    answer: () => new Response(`${"x".repeat(65_532)}near${"x".repeat(1 << 20)}`),
    text: "status 200",
    passed: true,
  },
];
for (const { keys, answer, text, passed = false } of CASES) {
  Deno.test(`http ${JSON.stringify(keys)}: ${text}`, async () => {
    await using server = new WebServer(answer);
    assert.deepEqual(await checkOnce(port(server), { kind: "http", ...keys }), { passed, text });
    assert.equal(server.requests.length, 1, "redirects aren't followed");
  });
}

Deno.test("http asks for the path with the Host header and headers that it is told", async () => {
  await using server = new WebServer(() => new Response("ok"));
  const keys = {
    kind: "http",
    http_path: "//health/../a?b=c?d&e=%20",
    http_host: "www.example",
    http_headers: { "X-Check": "1", "USER-AGENT": "checker" },
  };
  assert.equal((await checkOnce(port(server), keys)).passed, true);
  await checkOnce({ host: "web.example", address: "127.0.0.1", port: port(server) }, {
    kind: "http",
  });
  const [first, second] = server.requests;
  assert.equal(first!.headers.get("host"), "www.example");
  assert.equal(first!.headers.get("x-check"), "1");
  assert.equal(first!.headers.get("user-agent"), "checker");
  assert.match(first!.url, /\?b=c\?d&e=%20$/);
  assert.equal(second!.headers.get("host"), `web.example:${port(server)}`);
});

Deno.test("http has a status without waiting for a body that nobody asked about", async () => {
  await using backend = new TcpBackend(async (conn) => {
    const head = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n";
    await writeAll(conn, new TextEncoder().encode(head));
    while (await conn.read(new Uint8Array(1024)) !== null);
  });
  const result = await checkOnce(backend.port, { kind: "http" }, 10_000);
  assert.deepEqual(result, { passed: true, text: "status 200" });
  const late = await checkOnce(backend.port, { kind: "http", http_body_contains: "x" }, 200);
  assert.deepEqual(late, { passed: false, text: "timed out" });
});

const tls = {
  cert: await Deno.readTextFile(pem("cert")),
  key: await Deno.readTextFile(pem("key")),
};
const CA = { http_tls_cacert_path: pem("ca") };

Deno.test.each([
  { keys: CA, passed: true, text: /^status 200$/ },
  { keys: { ...CA, http_host: "www.example" }, passed: true, text: /^status 200$/ },
  { keys: { http_tls_insecure: true }, passed: true, text: /^status 200$/ },
  { keys: {}, passed: false, text: /certificate|issuer/i },
  { keys: { ...CA, http_tls_server_name: "www.example" }, passed: false, text: /www\.example/ },
])("https verifies the certificate: $keys", async ({ keys, passed, text }) => {
  await using server = new WebServer(() => new Response("ok"), tls);
  const result = await checkOnce(port(server), { kind: "https", ...keys });
  assert.match(result.text, text);
  assert.deepEqual([result.passed, result.ours ?? false], [passed, false]);
});

Deno.test.each([
  { keys: CA, passed: true, text: /^answered as expected$/ },
  { keys: { http_tls_insecure: true }, passed: true, text: /^answered as expected$/ },
  { keys: {}, passed: false, text: /certificate|issuer/i },
  { keys: { ...CA, http_tls_server_name: "www.example" }, passed: false, text: /www\.example/ },
])("a probe by TLS verifies the certificate: $keys", async ({ keys, passed, text }) => {
  await using server = new WebServer(() => new Response("ok"), tls);
  const own = Object.entries(keys).map(([key, value]) => [key.replace("http", "probe"), value]);
  const result = await checkOnce(port(server), {
    kind: "probe",
    probe_protocol: "tls",
    probe_send: String.raw`GET / HTTP/1.0\r\n\r\n`,
    probe_recv: "HTTP/1.",
    ...Object.fromEntries(own),
  });
  assert.match(result.text, text);
  assert.equal(result.passed, passed);
});

Deno.test("https and a probe by TLS show their certificate where the backend asks for one", async () => {
  const options = { ...tls, ca: await Deno.readTextFile(pem("ca")), requestCert: true };
  const server = createServer({ ...options, rejectUnauthorized: false }, (socket) => {
    socket.on("error", () => {}); // the check closes before it has read all
    const status = socket.authorized ? 200 : 403;
    socket.once("data", () => socket.end(`HTTP/1.1 ${status} x\r\ncontent-length: 0\r\n\r\n`));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const files = (prefix: string) => ({
    [`${prefix}_tls_cacert_path`]: pem("ca"),
    [`${prefix}_tls_cert_path`]: pem("cert"),
    [`${prefix}_tls_key_path`]: pem("key"),
  });
  const probe = {
    ...{ kind: "probe", probe_protocol: "tls", probe_send: String.raw`GET / HTTP/1.1\r\n\r\n` },
    probe_recv: "HTTP/1.1 200",
  };
  const https = await checkOnce(port, { kind: "https", ...files("http") });
  const byProbe = await checkOnce(port, { ...probe, ...files("probe") });
  const without = await checkOnce(port, { kind: "https", http_tls_cacert_path: pem("ca") });
  await new Promise((resolve) => server.close(resolve));
  assert.deepEqual(https, { passed: true, text: "status 200" });
  assert.deepEqual(byProbe, { passed: true, text: "answered as expected" });
  assert.deepEqual(without, { passed: false, text: "status 403, expected 200-399" });
});

Deno.test("a CA file that can't be read says nothing about the backend", async () => {
  const keys = { kind: "https", http_tls_cacert_path: "/no/such.pem" };
  const result = await checkOnce(1, keys);
  assert.deepEqual([result.passed, result.ours], [false, true]);
  assert.match(result.text, /^\/no\/such\.pem does not exist$/);
});

Deno.test.each([
  { keys: { http_path: "status" }, says: "http_path: is not a path" },
  { keys: { http_path: "/a b" }, says: "http_path: is not a path" },
  { keys: { http_status: "2xx" }, says: 'http_status: "2xx" is no list of status codes' },
  { keys: { http_body_matches: "(" }, says: 'http_body_matches: "(" is not a pattern' },
  { keys: { http_headers: { Host: "x" } }, says: "http_headers.Host: has its own key" },
  { keys: { http_headers: { "a b": "x" } }, says: "http_headers.a b: is not a header's name" },
  {
    keys: { http_headers: { cookie: "a\nb" } },
    says: "http_headers.cookie: has characters that no header may have",
  },
  {
    keys: { http_method: "HEAD", http_body_contains: "x" },
    says: "http_body_contains: needs a body, and HEAD has none",
  },
  { keys: { http_method: "POST" }, says: 'http_method: "POST" is not possible here' },
])("a configuration is told: $says", ({ keys, says }) => {
  assert.throws(() => checkSpec({ kind: "http", ...keys }), (error: unknown) => {
    assert.ok(error instanceof ConfigError);
    const said = error.problems.map(printProblem).join("\n");
    assert.ok(said.includes(`servers.web.healthcheck.${says}`), said);
    assert.ok(!said.includes("a\\x0ab"), "header values may be secrets");
    return true;
  });
});
