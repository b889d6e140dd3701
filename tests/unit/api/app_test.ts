import assert from "node:assert/strict";
import { fakeApi, LOCAL } from "../../support/control.ts";
import { MemoryLog } from "../../support/log.ts";

const SERVERS = { web: { bind: ":1" }, "a/b %": { bind: ":2" }, "größe": { bind: ":3" } };

Deno.test.each([
  { path: "/servers/web", bind: ":1" },
  { path: "/servers/web/", bind: ":1" },
  { path: "/servers/%77eb", bind: ":1" },
  { path: "/servers/a%2Fb%20%25", bind: ":2" },
  { path: "/servers/gr%C3%B6%C3%9Fe", bind: ":3" },
  { path: "/servers/größe", bind: ":3" },
])("GET $path finds the server", async ({ path, bind }) => {
  const answer = await fakeApi({ servers: SERVERS }).request(path, {}, LOCAL);
  assert.equal(answer.status, 200);
  assert.deepEqual(await answer.json(), { bind });
});

Deno.test.each([
  { path: "/nothing", error: 'there is nothing at "/nothing"' },
  { path: "/servers/web/other", error: 'there is nothing at "/servers/web/other"' },
  { path: "/*", error: 'there is nothing at "/*"' },
  { path: "/%zz", error: 'there is nothing at "/%zz"' },
])("GET $path answers 404 in JSON", async ({ path, error }) => {
  const answer = await fakeApi({ servers: SERVERS }).request(path, {}, LOCAL);
  assert.equal(answer.status, 404);
  assert.equal(answer.headers.get("content-type"), "application/json; charset=utf-8");
  assert.deepEqual(await answer.json(), { error });
});

Deno.test.each([
  { name: "wep", hint: 'did you mean "web"?' },
  { name: "constructor", hint: "GET /servers lists them" },
  { name: "__proto__", hint: "GET /servers lists them" },
  { name: "%E4%A4", hint: "GET /servers lists them" },
])("GET /servers/$name and its stats answer 404, with a hint", async ({ name, hint }) => {
  for (const path of [`/servers/${name}`, `/servers/${name}/stats`]) {
    const answer = await fakeApi({ servers: SERVERS }).request(path, {}, LOCAL);
    assert.equal(answer.status, 404);
    assert.deepEqual(await answer.json(), { error: `there is no server "${name}"`, hint });
  }
});

Deno.test.each([
  { method: "DELETE", path: "/", allow: "GET, HEAD" },
  { method: "POST", path: "/ping", allow: "GET, HEAD" },
  { method: "PATCH", path: "/servers/web/", allow: "GET, HEAD, POST, DELETE" },
  { method: "OPTIONS", path: "/servers", allow: "GET, HEAD" },
  { method: "BREW", path: "/dump", allow: "GET, HEAD" },
  { method: "GET", path: "/writes", allow: "POST, DELETE" },
])("$method $path answers 405 and what is allowed", async ({ method, path, allow }) => {
  const app = fakeApi({ servers: SERVERS });
  app.post("/writes", () => new Response()).delete("/writes", () => new Response());
  const answer = await app.request(path, { method }, LOCAL);
  assert.equal(answer.status, 405);
  assert.equal(answer.headers.get("allow"), allow);
  assert.deepEqual(await answer.json(), {
    error: `${method} doesn't work on "${path.replace(/(.)\/$/, "$1")}"`,
    hint: `One of ${allow}`,
  });
});

Deno.test.each([
  "/",
  "/ping",
  "/servers",
  "/servers/web",
  "/dump",
  "/servers/web/stats",
  "/nothing",
])(
  "HEAD %s has the status and headers of GET, and no body",
  async (path) => {
    const app = fakeApi({ servers: SERVERS }, { wallTime: () => 0 });
    const [get, head] = await Promise.all(
      ["GET", "HEAD"].map((method) => app.request(path, { method }, LOCAL)),
    );
    assert.equal(head!.status, get!.status);
    assert.deepEqual([...head!.headers], [...get!.headers]);
    assert.equal(Number(head!.headers.get("content-length")), (await get!.bytes()).length);
    assert.equal(head!.body, null);
  },
);

Deno.test("createApp() answers 500 without details when a route throws, and logs it", async () => {
  const log = new MemoryLog();
  const app = fakeApi({}, {
    log,
    dump: () => {
      throw new Error("broken");
    },
  });
  const answer = await app.request("/dump", {}, LOCAL);
  assert.equal(answer.status, 500);
  assert.deepEqual(await answer.json(), {
    error: "internal error",
    hint: "the log has the details",
  });
  assert.match(
    log.lines.join("\n"),
    /^error a request to the API failed request=GET \/dump error=broken stack=Error: broken\n +at /,
  );
});
