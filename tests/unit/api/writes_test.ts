import assert from "node:assert/strict";
import type { ApiOptions } from "../../../api/app.ts";
import { MAX_BODY_BYTES } from "../../../api/writes.ts";
import { fakeApi, LOCAL } from "../../support/control.ts";

const JSON_TYPE = { "content-type": "application/json" };

/** Sends a write to a route of the test's own, behind everything that guards writes. */
function post(init: RequestInit, spec: ApiOptions["spec"] = { cors: false }) {
  const app = fakeApi({}, { spec });
  app.post("/test", async (c) => new Response(`read ${(await c.req.text()).length}`));
  return app.request("http://lb:8888/test", { method: "POST", ...init }, LOCAL);
}

Deno.test.each([
  { type: "application/json", body: "{}" },
  { type: "application/json; charset=utf-8", body: "{}" },
  { type: "Application/JSON", body: "{}" },
  { type: "application/json", body: undefined },
  { type: undefined, body: undefined },
])("a write of type $type with body $body passes", async ({ type, body }) => {
  const headers = new Headers(type === undefined ? {} : { "content-type": type });
  if (body !== undefined) headers.set("content-length", String(body.length));
  const answer = await post({ headers, ...(body === undefined ? {} : { body }) });
  assert.equal(answer.status, 200);
  assert.equal(await answer.text(), `read ${body?.length ?? 0}`);
});

Deno.test.each([
  { type: "text/plain", length: "2", found: 'a body of type "text/plain"' },
  { type: "text/plain", length: "0", found: 'a body of type "text/plain"' },
  { type: "application/jsonx", length: "2", found: 'a body of type "application/jsonx"' },
  {
    type: "application/x-www-form-urlencoded",
    length: "2",
    found: 'a body of type "application/x-www-form-urlencoded"',
  },
  { type: undefined, length: "2", found: "a body without Content-Type" },
])("a write of type $type and length $length answers 415", async ({ type, length, found }) => {
  const headers = new Headers({ "content-length": length });
  if (type !== undefined) headers.set("content-type", type);
  const answer = await post({ headers, body: new Uint8Array(Number(length)) });
  assert.equal(answer.status, 415);
  assert.deepEqual(await answer.json(), {
    error: `${found} can't be read`,
    hint: "send JSON with the header Content-Type: application/json",
  });
});

Deno.test("a chunked write without a type answers 415", async () => {
  const headers = { "transfer-encoding": "chunked" };
  assert.equal((await post({ headers, body: new Uint8Array(2) })).status, 415);
});

Deno.test.each([
  { length: MAX_BODY_BYTES, told: true, status: 200 },
  { length: MAX_BODY_BYTES, told: false, status: 200 },
  { length: MAX_BODY_BYTES + 1, told: true, status: 413 },
  { length: MAX_BODY_BYTES + 1, told: false, status: 413 },
])("a body of $length bytes, length told: $told, answers $status", async (row) => {
  const length = row.told ? { "content-length": String(row.length) } : {};
  const answer = await post({
    headers: { ...JSON_TYPE, ...length },
    body: new Uint8Array(row.length),
  });
  assert.equal(answer.status, row.status);
  if (row.status === 200) return assert.equal(await answer.text(), `read ${row.length}`);
  assert.deepEqual(await answer.json(), {
    error: "the body is too long",
    hint: "at most 1048576 bytes",
  });
});

const OTHER_SITE = { hint: "set api.cors = true to let pages of all sites write" };
const FOREIGN_NAME = {
  hint: "set api.basic_auth, or open the page by its address instead of a name",
};

Deno.test.each([
  { origin: "http://evil", host: "127.0.0.1:8888", refused: OTHER_SITE },
  { origin: "http://127.0.0.1:9999", host: "127.0.0.1:8888", refused: OTHER_SITE },
  { origin: "null", host: "127.0.0.1:8888", refused: OTHER_SITE },
  { origin: "", host: "127.0.0.1:8888", refused: OTHER_SITE },
  { origin: "http://evil:8888", host: "evil:8888", refused: FOREIGN_NAME },
  { origin: "http://127.0.0.1:8888", host: "127.0.0.1:8888", refused: undefined },
  { origin: "http://[::1]:8888", host: "[::1]:8888", refused: undefined },
  { origin: "https://localhost:8888", host: "localhost:8888", refused: undefined },
])("a write of a page of $origin to $host", async ({ origin, host, refused }) => {
  const answer = await post({ headers: { origin, host } });
  assert.equal(answer.status, refused === undefined ? 200 : 403);
  if (refused === undefined) return;
  const body = await answer.json();
  assert.equal(body.hint, refused.hint);
  const why = refused === OTHER_SITE ? "write: it is another site" : "write under this name";
  assert.equal(body.error, `the page of "${origin}" may not ${why}`);
});

Deno.test("a page of another site may write where cors is on", async () => {
  const headers = { origin: "http://evil", host: "127.0.0.1:8888" };
  const answer = await post({ headers }, { cors: true });
  assert.equal(answer.status, 200);
});

Deno.test("a page under a name of its own may write where a login is needed", async () => {
  const basicAuth = { login: "a", password: "b" };
  const authorization = `Basic ${btoa("a:b")}`;
  const own = { origin: "http://lb:8888", host: "lb:8888", authorization };
  assert.equal((await post({ headers: own }, { cors: false, basicAuth })).status, 200);
  const other = { ...own, origin: "http://evil" };
  assert.equal((await post({ headers: other }, { cors: false, basicAuth })).status, 403);
});

Deno.test("a page of another site may ask, where cors is off: it can't see the answer", async () => {
  const headers = { origin: "http://evil", host: "127.0.0.1:8888" };
  const answer = await fakeApi().request("/servers", { headers }, LOCAL);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("access-control-allow-origin"), null);
});
