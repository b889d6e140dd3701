import assert from "node:assert/strict";
import type { ApiOptions } from "../../../api/app.ts";
import { fakeApi, LOCAL } from "../../support/control.ts";

/** Sends a write to a route of the test's own, behind everything that guards writes. */
function post(init: RequestInit, spec: ApiOptions["spec"] = { cors: false }) {
  const app = fakeApi({}, { spec });
  app.post("/test", () => new Response("done"));
  return app.request("http://lb:8888/test", { method: "POST", ...init }, LOCAL);
}

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
