import assert from "node:assert/strict";
import { MAX_BODY_BYTES } from "../../../api/body.ts";
import { fakeApi, LOCAL } from "../../support/control.ts";

const JSON_TYPE = { "content-type": "application/json" };

/** Sends a write to a route of the test's own, behind everything that guards writes. */
function post(init: RequestInit) {
  const app = fakeApi();
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
