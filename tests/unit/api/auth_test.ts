import assert from "node:assert/strict";
import type { ApiOptions } from "../../../api/app.ts";
import type { ApiApp } from "../../../api/env.ts";
import { callFrom, fakeApi, LOCAL } from "../../support/control.ts";
import { ManualClock } from "../../support/clock.ts";
import { MemoryLog } from "../../support/log.ts";

const LOGIN: Partial<ApiOptions> = {
  spec: { cors: false, basicAuth: { login: "admin", password: "pä:ss" } },
};

function basic(text: string): string {
  return `Basic ${new TextEncoder().encode(text).toBase64()}`;
}

const RIGHT = basic("admin:pä:ss");
const WRONG = basic("admin:wrong");
const HINT = "send the login and password of api.basic_auth";

function get(app: ApiApp, authorization?: string, client = "10.0.0.1", path = "/servers") {
  const headers = new Headers(authorization === undefined ? {} : { authorization });
  return app.request(path, { headers }, callFrom(client));
}

Deno.test.each([
  RIGHT,
  RIGHT.replace("Basic", "basic"),
  RIGHT.replace("Basic ", "BASIC   "),
])("requireLogin() lets %s pass", async (authorization) => {
  assert.equal((await get(fakeApi({}, LOGIN), authorization)).status, 200);
});

Deno.test.each([
  { authorization: undefined, error: "this needs a login" },
  { authorization: "", error: "login or password is wrong" },
  { authorization: WRONG, error: "login or password is wrong" },
  { authorization: basic("admin:pä:ss "), error: "login or password is wrong" },
  { authorization: basic("Admin:pä:ss"), error: "login or password is wrong" },
  { authorization: basic(":"), error: "login or password is wrong" },
  { authorization: basic(""), error: "login or password is wrong" },
  { authorization: "Basic", error: "login or password is wrong" },
  { authorization: "Basic %%%", error: "login or password is wrong" },
  { authorization: RIGHT.replace("Basic", "Bearer"), error: "login or password is wrong" },
])("requireLogin() answers 401 to $authorization", async ({ authorization, error }) => {
  const answer = await get(fakeApi({}, LOGIN), authorization);
  assert.equal(answer.status, 401);
  assert.equal(answer.headers.get("www-authenticate"), 'Basic realm="Authorization Required"');
  assert.deepEqual(await answer.json(), { error, hint: HINT });
});

Deno.test.each([
  { path: "/ping", status: 200 },
  { path: "/ping/", status: 200 },
  { path: "/", status: 401 },
  { path: "/servers/x/stats", status: 401 },
  { path: "/dump", status: 401 },
  { path: "/nothing", status: 401 },
  { path: "/ping/x", status: 401 },
])("without login GET $path answers $status", async ({ path, status }) => {
  assert.equal((await get(fakeApi({}, LOGIN), undefined, "127.0.0.1", path)).status, status);
});

Deno.test.each([
  { host: "127.0.0.1:8888", status: 200 },
  { host: "localhost", status: 200 },
  { host: "[::1]:8888", status: 200 },
  { host: "evil.example", status: 403 },
])("without a login, a read from this host by the name $host is answered $status", async (
  { host, status },
) => {
  const answer = await fakeApi().request("http://127.0.0.1/servers", { headers: { host } }, LOCAL);
  assert.equal(answer.status, status);
});

Deno.test("requireLogin() refuses a caller after 10 failures, for the rest of a minute", async () => {
  const clock = new ManualClock();
  const log = new MemoryLog();
  const app = fakeApi({}, { ...LOGIN, clock, log });
  for (let i = 0; i < 10; i++) assert.equal((await get(app, WRONG)).status, 401);
  await clock.advance(19_500);
  const answer = await get(app, RIGHT);
  assert.equal(answer.status, 429);
  assert.equal(answer.headers.get("retry-after"), "41");
  assert.deepEqual(await answer.json(), {
    error: "too many failed logins",
    hint: "try again in 41 seconds",
  });
  assert.deepEqual(log.lines, [
    "warning too many failed logins; refused for a while client=10.0.0.1",
  ]);
  assert.equal((await get(app, RIGHT, "10.0.0.2")).status, 200);
  await clock.advance(40_500);
  assert.equal((await get(app, RIGHT)).status, 200);
});

Deno.test("requireLogin() counts no request without credentials, and a login clears the count", async () => {
  const app = fakeApi({}, { ...LOGIN, clock: new ManualClock() });
  for (let i = 0; i < 20; i++) assert.equal((await get(app)).status, 401);
  for (let i = 0; i < 9; i++) await get(app, WRONG);
  assert.equal((await get(app, RIGHT)).status, 200);
  for (let i = 0; i < 9; i++) await get(app, WRONG);
  assert.equal((await get(app, RIGHT)).status, 200);
});

Deno.test.each([
  { first: "2001:db8:1:2::1", second: "2001:db8:1:2:ffff::9", status: 429 },
  { first: "2001:db8:1:2::1", second: "2001:db8:1:3::1", status: 200 },
  { first: "::ffff:10.0.0.1", second: "10.0.0.1", status: 429 },
])("after failures of $first, $second is answered $status", async ({ first, second, status }) => {
  const app = fakeApi({}, { ...LOGIN, clock: new ManualClock() });
  for (let i = 0; i < 10; i++) await get(app, WRONG, first);
  assert.equal((await get(app, RIGHT, second)).status, status);
});

Deno.test.each([
  { client: "127.0.0.1", method: "POST", status: 200 },
  { client: "::1", method: "DELETE", status: 200 },
  { client: "::ffff:127.0.0.1", method: "POST", status: 200 },
  { client: "10.0.0.1", method: "POST", status: 200 },
  { client: "10.0.0.2", method: "POST", status: 403 },
  { client: "10.0.0.2", method: "DELETE", status: 403 },
  { client: "10.0.0.2", method: "GET", status: 200 },
  { client: "10.0.0.2", method: "HEAD", status: 200 },
])("without basic_auth $client's $method is answered $status", async (row) => {
  const app = fakeApi({}, { isAllowed: (ip) => ip === "10.0.0.1" });
  app.all("/test", () => new Response("done"));
  const answer = await app.request("/test", { method: row.method }, callFrom(row.client));
  assert.equal(answer.status, row.status);
  if (row.status === 403) {
    assert.deepEqual(await answer.json(), {
      error: `${row.client} may only read: the API has no login`,
      hint: 'set api.basic_auth, or let it write with api.allow = ["CIDR"]',
    });
  }
});

Deno.test("with basic_auth whoever logs in may write, from anywhere", async () => {
  const app = fakeApi({}, LOGIN);
  app.post("/test", () => new Response("done"));
  const headers = { authorization: RIGHT };
  const answer = await app.request("/test", { method: "POST", headers }, callFrom("10.0.0.2"));
  assert.equal(answer.status, 200);
  assert.equal((await app.request("/test", { method: "POST" }, LOCAL)).status, 401);
});
