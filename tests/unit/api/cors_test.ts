import assert from "node:assert/strict";
import { fakeApi, LOCAL } from "../../support/control.ts";

const ON = { spec: { cors: true, basicAuth: { login: "a", password: "b" } } };
const OTHER = { origin: "http://other", host: "127.0.0.1:8888" };

/** The headers of an answer that have to do with other sites. */
function corsOf(answer: Response): Record<string, string> {
  return Object.fromEntries(
    [...answer.headers].filter(([name]) => name.startsWith("access-control") || name === "vary"),
  );
}

Deno.test.each(["/servers", "/", "/ping", "/nothing"])(
  "with cors a preflight of %s is answered before the login",
  async (path) => {
    const answer = await fakeApi({}, ON).request(
      path,
      { method: "OPTIONS", headers: OTHER },
      LOCAL,
    );
    assert.equal(answer.status, 204);
    assert.equal(answer.body, null);
    assert.deepEqual(corsOf(answer), {
      "access-control-allow-origin": "*",
      "access-control-allow-credentials": "true",
      "access-control-allow-methods": "PUT,POST,DELETE,GET,OPTIONS",
      "access-control-allow-headers": "Origin,Authorization,Content-Type",
      "access-control-max-age": "43200",
      "vary": "Origin",
    });
  },
);

Deno.test.each([
  { path: "/ping", method: "GET", status: 200 },
  { path: "/ping", method: "HEAD", status: 200 },
  { path: "/servers", method: "GET", status: 401 },
  { path: "/servers", method: "POST", status: 401 },
])("with cors $method $path of another site carries the headers, status $status", async (row) => {
  const app = fakeApi({}, ON);
  const answer = await app.request(row.path, { method: row.method, headers: OTHER }, LOCAL);
  assert.equal(answer.status, row.status);
  assert.deepEqual(corsOf(answer), {
    "access-control-allow-origin": "*",
    "access-control-allow-credentials": "true",
    "vary": "Origin",
  });
});

Deno.test.each([
  { name: "no origin", headers: { host: "127.0.0.1:8888" } },
  { name: "its own origin", headers: { host: "127.0.0.1:8888", origin: "http://127.0.0.1:8888" } },
])("with cors a request with $name is told only that answers vary", async ({ headers }) => {
  const answer = await fakeApi({}, ON).request("/ping", { headers }, LOCAL);
  assert.deepEqual(corsOf(answer), { vary: "Origin" });
});

Deno.test("without cors no answer has such headers, and a preflight is refused", async () => {
  const app = fakeApi();
  assert.deepEqual(corsOf(await app.request("/ping", { headers: OTHER }, LOCAL)), {});
  const preflight = await app.request("/ping", { method: "OPTIONS", headers: OTHER }, LOCAL);
  assert.equal(preflight.status, 405);
  assert.deepEqual(corsOf(preflight), {});
});
