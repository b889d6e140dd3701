import assert from "node:assert/strict";
import { createApp } from "../../../api/app.ts";
import type { BackendChange } from "../../../lib/control.ts";
import type { PoolSpec, ServerSpec } from "../../../lib/model.ts";
import type { BackendStatus } from "../../../lib/status.ts";
import { MemoryLog } from "../../support/log.ts";
import { fakeControl, LOCAL } from "../../support/control.ts";

const STATUS: BackendStatus = {
  backend: { host: "10.0.0.1", port: 80, weight: 3, priority: 1, maxConnections: 0, sni: "" },
  discoveredWeight: 3,
  live: true,
  discovered: true,
  draining: true,
  lastCheck: "",
  traffic: { active: 1, total: 2, refused: 0, rx: 0, tx: 0, rxRate: 0, txRate: 0 },
};

const NONE = { added: [], changed: [], removed: [] };

/** The API over one pool with one backend; remembers what it is asked to change. */
function setUp() {
  const changes: [string, string, BackendChange][] = [];
  const failing = { why: "connection refused", sinceMs: 0 };
  const file = { kind: "file", source: "/a", backends: 1, failing: undefined };
  const sources = [file, { kind: "json", source: "http://a/", backends: undefined, failing }];
  const pool = { name: "app", strategy: "weight", sources, backends: [STATUS] };
  const spec: PoolSpec = { name: "app", strategy: "weight", discoveries: [] };
  const base = fakeControl({ servers: { web: {} } });
  const app = createApp({
    ...base,
    config: () => ({ ...base.config(), pools: new Map([["app", spec]]) }),
    pool: (name) => name === "app" ? pool : undefined,
    changeBackend: (pool, backend, change) => {
      changes.push([pool, backend, change]);
      return Promise.resolve(pool === "app" && backend === "10.0.0.1:80" ? STATUS : undefined);
    },
  }, {
    version: "1",
    spec: { cors: false },
    isAllowed: () => false,
    dump: () => "",
    log: new MemoryLog(),
  });
  const send = async (method: string, path: string, body?: string) => {
    const headers = body === undefined ? {} : { "content-type": "application/json" };
    const init = { method, headers, ...body === undefined ? {} : { body } };
    const answer = await app.request(`http://127.0.0.1${path}`, init, LOCAL);
    return { status: answer.status, body: await answer.json() };
  };
  return { changes, send };
}

Deno.test("GET /pools and /pools/NAME show pools with their backends and states", async () => {
  const { send } = setUp();
  const { body } = await send("GET", "/pools");
  assert.deepEqual(Object.keys(body), ["app"]);
  assert.deepEqual((await send("GET", "/pools/app")).body, body.app);
  assert.equal(body.app.balance, "weight");
  assert.deepEqual(body.app.discovery, [
    { kind: "file", source: "/a", backends: 1 },
    {
      ...{ kind: "json", source: "http://a/", failing: "connection refused" },
      failing_since: "1970-01-01T00:00:00.000Z",
    },
  ]);
  assert.equal(body.app.backends[0].stats.draining, true);
  assert.deepEqual((await send("GET", "/pools/ap")).body, {
    error: 'there is no pool "ap"',
    hint: 'did you mean "app"?',
  });
});

Deno.test.each([
  { body: '{"weight": 0}', change: { weight: 0 } },
  { body: '{"weight": null, "drain": false}', change: { weight: null, drain: false } },
  { body: '{"drain": true}', change: { drain: true } },
  { body: '{"drain": "1m30s"}', change: { drain: 90_000 } },
])("PATCH of a backend with $body asks for $change", async ({ body, change }) => {
  const { changes, send } = setUp();
  const answer = await send("PATCH", "/pools/app/backends/10.0.0.1:80", body);
  assert.deepEqual([answer.status, answer.body.weight], [200, 3]);
  assert.deepEqual(changes, [["app", "10.0.0.1:80", change]]);
});

Deno.test.each([
  { body: "", error: "the body is empty" },
  { body: "{", error: /^the body is not JSON/ },
  { body: "{}", error: "nothing is to be changed" },
  { body: '{"weight": -1}', error: /./ },
  { body: '{"weight": "3"}', error: /./ },
  { body: '{"drain": "soon"}', error: '"soon" is not a duration' },
  { body: '{"drain": "-5s"}', error: '"-5s" is not a duration' },
  { body: '{"wait": 3}', error: /wait/ },
  { body: "null", error: /./ },
])("PATCH of a backend with $body is refused", async ({ body, error }) => {
  const { changes, send } = setUp();
  const answer = await send("PATCH", "/pools/app/backends/10.0.0.1:80", body);
  assert.equal(answer.status, 400);
  if (typeof error === "string") assert.equal(answer.body.error, error);
  else assert.match(answer.body.error, error);
  assert.deepEqual(changes, []);
});

Deno.test("PATCH of what isn't there is answered 404 with what there is", async () => {
  const { send } = setUp();
  const drain = '{"drain": true}';
  assert.deepEqual(await send("PATCH", "/pools/app/backends/10.0.0.2:80", drain), {
    status: 404,
    body: {
      error: 'there is no backend "10.0.0.2:80" in pool "app"',
      hint: "One of 10.0.0.1:80",
    },
  });
  assert.equal((await send("PATCH", "/pools/nope/backends/10.0.0.1:80", drain)).status, 404);
});

/** The API over a server that leads to these pools, each with these backends. */
function routed(pools: Readonly<Record<string, readonly string[]>>) {
  const asked: string[] = [];
  const base = fakeControl({ servers: { web: {} } });
  const routes = Object.keys(pools).map((pool) => ({ pool }));
  const spec = { routing: { routes, readMs: 1 } } as unknown as ServerSpec;
  const statusOf = (host: string) => ({ ...STATUS, backend: { ...STATUS.backend, host } });
  const app = createApp({
    ...base,
    config: () => ({ ...base.config(), servers: new Map([["web", spec]]) }),
    pool: (name) => {
      const backends = pools[name]?.map(statusOf);
      return backends && { name, strategy: "weight", sources: [], backends };
    },
    changeBackend: (pool) => {
      asked.push(pool);
      return Promise.resolve(pools[pool]?.includes("b") ? STATUS : undefined);
    },
  }, {
    version: "1",
    spec: { cors: false },
    isAllowed: () => false,
    dump: () => "",
    log: new MemoryLog(),
  });
  const patch = async (backend: string) => {
    const headers = { "content-type": "application/json" };
    const init = { method: "PATCH", headers, body: '{"drain": true}' };
    const path = `http://127.0.0.1/servers/web/backends/${backend}`;
    const answer = await app.request(path, init, LOCAL);
    return { status: answer.status, body: await answer.json() };
  };
  return { asked, patch };
}

Deno.test("PATCH through a server finds the backend in the pools that its routes lead to, if one of them has it", async () => {
  const { asked, patch } = routed({ one: ["a"], two: ["b"] });
  assert.equal((await patch("b:80")).status, 200);
  assert.deepEqual(asked, ["two"]);
  const none = await patch("c:80");
  assert.deepEqual([none.status, none.body.error], [
    404,
    'there is no backend "c:80" in pool "one"',
  ]);
  const several = await routed({ one: ["b"], two: ["a", "b"] }).patch("b:80");
  assert.deepEqual(several, {
    status: 409,
    body: {
      error: 'several pools of server "web" have backend "b:80"',
      hint: "PATCH /pools/POOL/backends/b:80 with one of one, two",
    },
  });
});

Deno.test("POST and DELETE of a server answer null as gobetween does, and 404 where there is none", async () => {
  const { send } = setUp();
  assert.deepEqual(await send("POST", "/servers/new", "{}"), { status: 200, body: null });
  assert.deepEqual(await send("DELETE", "/servers/web"), { status: 200, body: null });
  assert.equal((await send("DELETE", "/servers/nope")).status, 404);
  assert.deepEqual(await send("POST", "/reload"), {
    status: 200,
    body: { changes: "nothing changed", servers: NONE, pools: NONE, conflicts: [] },
  });
  assert.deepEqual((await send("GET", "/overlay")).body, {
    servers: {},
    backends: {},
    conflicts: [],
  });
});
