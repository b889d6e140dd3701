import assert from "node:assert/strict";
import { getText } from "../../../../lib/net/get.ts";
import { pem } from "../../../support/api.ts";
import { freePort } from "../../../support/clients.ts";
import { fromFileUrl } from "../../../support/paths.ts";
import { WebServer } from "../../../support/web_server.ts";

const signal = new AbortController().signal;
const ca = fromFileUrl(new URL("../../../fixtures/api/ca.pem", import.meta.url));
const get = (url: string, tls = {}) => getText({ url, tls, accept: "text/plain", signal });
const moved = (location: string, status = 302) =>
  new Response(null, { status, headers: { location } });

Deno.test("getText() gives an answer of 2xx, and sends a login that is in the URL", async () => {
  await using server = new WebServer(() => new Response("list", { status: 203 }));
  assert.equal(await get(`http://me:p%40ss@${server.address}/a?b=c`), "list");
  const { url, headers } = server.requests[0]!;
  assert.equal(new URL(url).pathname + new URL(url).search, "/a?b=c");
  assert.equal(headers.get("authorization"), `Basic ${btoa("me:p@ss")}`);
  assert.equal(headers.get("accept"), "text/plain");
});

Deno.test("getText() fails with any other status, and shows no secrets", async () => {
  await using server = new WebServer(() => new Response("sorry", { status: 500 }));
  const at = `http://${server.address}/list`;
  for (
    const [status, hint] of [[500, ""], [404, ": check the path"], [304, ""], [302, ""]] as const
  ) {
    server.answer = () => new Response(status === 304 ? null : "sorry", { status });
    await assert.rejects(get(`http://me:pass@${server.address}/list?token=x`), {
      name: "DiscoveryError",
      message: `${at} answers with status ${status}${hint}`,
    });
  }
});

Deno.test("getText() says why nobody answers", async () => {
  const url = `http://127.0.0.1:${freePort()}/`;
  await assert.rejects(get(url), { name: "DiscoveryError", message: `${url}: connection refused` });
});

Deno.test("getText() follows five redirects and no more; a login stays with its address", async () => {
  await using other = new WebServer(() => new Response("there"));
  await using server = new WebServer((request) => {
    const left = Number(new URL(request.url).pathname.slice(1));
    return moved(left > 1 ? `/${left - 1}` : `http://${other.address}/`, 307);
  });
  assert.equal(await get(`http://me:pass@${server.address}/5`), "there");
  assert(server.requests.every(({ headers }) => headers.has("authorization")));
  assert.equal(other.requests[0]!.headers.has("authorization"), false);
  await assert.rejects(get(`http://${server.address}/6`), {
    message: /redirects more than 5 times/,
  });
});

Deno.test("getText() follows no redirect to another scheme, nor from https to http", async () => {
  await using plain = new WebServer(() => moved("file:///etc/passwd"));
  await assert.rejects(get(`http://${plain.address}/`), {
    message: /to file:, which isn't followed/,
  });
  const tls = { cert: await pem("cert"), key: await pem("key") };
  await using secure = new WebServer(() => moved(`http://${plain.address}/`), tls);
  await assert.rejects(get(`https://${secure.address}/`, { caPath: ca }), {
    name: "DiscoveryError",
    message: /redirects from https to plain http, which isn't followed: name an address/,
  });
  assert.equal(plain.requests.length, 1);
});

Deno.test("getText() trusts the authority that it is told, or anybody where it is told so", async () => {
  const tls = { cert: await pem("cert"), key: await pem("key") };
  await using server = new WebServer(() => new Response("list"), tls);
  const url = `https://${server.address}/`;
  assert.equal(await get(url, { caPath: ca }), "list");
  assert.equal(await get(url, { insecure: true }), "list");
  await assert.rejects(get(url), { name: "DiscoveryError", message: /certificate|issuer/ });
  await assert.rejects(get(url, { caPath: "/nowhere/ca.pem" }), {
    name: "DiscoveryError",
    message: /\/nowhere\/ca\.pem/,
  });
});

Deno.test("getText() takes no endless answer", async () => {
  const chunk = new Uint8Array(1 << 20);
  await using server = new WebServer(() =>
    new Response(new ReadableStream({ pull: (controller) => controller.enqueue(chunk) }))
  );
  await assert.rejects(get(`http://${server.address}/`), { message: /longer than 8 MiB/ });
});
