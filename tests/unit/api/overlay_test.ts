import assert from "node:assert/strict";
import { createApp } from "../../../api/app.ts";
import type { Conflict } from "../../../lib/conflicts.ts";
import type { Control } from "../../../lib/control.ts";
import { ConfigError, StartError } from "../../../lib/errors.ts";
import type { Overlay } from "../../../lib/overlay.ts";
import { fakeControl, LOCAL, NO_CHANGES } from "../../support/control.ts";
import { MemoryLog } from "../../support/log.ts";

const OVERLAY: Overlay = {
  servers: { web: null, new: { bind: ":81", discovery: { consul_acl_token: "hush" } } },
  backends: { web: { "10.0.0.1:80": { weight: 5, weightBefore: 1 } } },
  before: { web: { bind: ":80", discovery: { consul_acl_token: "hush" } }, new: null },
};
const AT = "pools/web/backends/10.0.0.1:80/weight";
const CONFLICT: Conflict = { at: AT, field: AT, overlay: 5, base: 3, before: 1 };
const SHOWN = {
  at: AT,
  overlay: 5,
  base: 3,
  before: 1,
  hint: `DELETE /overlay/${AT} gives it back to the configuration`,
};

/** The API over this overlay; remembers what is to be forgotten. */
function setUp(control: Partial<Control> = {}) {
  const paths: (readonly string[])[] = [];
  const forget: Control["forget"] = (path) => {
    paths.push(path);
    return Promise.resolve({ forgotten: [path.join("/")], changes: "1 server added" });
  };
  const overlay = { overlay: () => OVERLAY, conflicts: () => [CONFLICT], forget };
  const app = createApp({ ...fakeControl(), ...overlay, ...control }, {
    version: "1",
    spec: { cors: false },
    isAllowed: () => false,
    dump: () => "",
    log: new MemoryLog(),
  });
  const send = async (method: string, path: string) => {
    const answer = await app.request(`http://127.0.0.1${path}`, { method }, LOCAL);
    return { status: answer.status, body: await answer.json() };
  };
  return { paths, send };
}

Deno.test("GET /overlay shows changes and conflicts, without secrets and without what is only remembered", async () => {
  assert.deepEqual(await setUp().send("GET", "/overlay"), {
    status: 200,
    body: {
      servers: { web: null, new: { bind: ":81", discovery: { consul_acl_token: "********" } } },
      backends: { web: { "10.0.0.1:80": { weight: 5 } } },
      conflicts: [SHOWN],
    },
  });
});

Deno.test.each([
  { path: "", asked: [] },
  { path: "/servers/web", asked: ["servers", "web"] },
  { path: "/servers/a%2Fb%20c", asked: ["servers", "a/b c"] },
  { path: `/${AT}`, asked: AT.split("/") },
  {
    path: "/pools/web/backends/[::1]:80/drain",
    asked: ["pools", "web", "backends", "[::1]:80", "drain"],
  },
  { path: "/pools/web/backends/a:1", asked: ["pools", "web", "backends", "a:1"] },
])("DELETE /overlay$path forgets $asked", async ({ path, asked }) => {
  const { paths, send } = setUp();
  assert.deepEqual(await send("DELETE", `/overlay${path}`), {
    status: 200,
    body: { forgotten: [asked.join("/")], changes: "1 server added" },
  });
  assert.deepEqual(paths, [asked]);
});

Deno.test.each([
  {
    path: "",
    error: "nothing was changed beside the configuration",
    hint: "GET /overlay shows what it has",
  },
  {
    path: "/servers/wed",
    error: 'the overlay has nothing at "servers/wed"',
    hint: 'did you mean "servers/web"?',
  },
  {
    path: "/pools/a/backends/b:1",
    error: 'the overlay has nothing at "pools/a/backends/b:1"',
    hint: "GET /overlay shows what it has",
  },
  {
    path: `/${AT.replace("weight", "drain")}`,
    error: 'the overlay has nothing at "pools/web/backends/10.0.0.1:80/drain"',
    hint: `did you mean "${AT}"?`,
  },
])("DELETE /overlay$path where nothing is answers 404: $error", async ({ path, error, hint }) => {
  const { send } = setUp({ forget: () => Promise.resolve(undefined) });
  assert.deepEqual(await send("DELETE", `/overlay${path}`), { status: 404, body: { error, hint } });
});

Deno.test("DELETE below a backend knows weight and drain only", async () => {
  const answer = await setUp().send("DELETE", "/overlay/pools/web/backends/a:1/priority");
  assert.deepEqual(answer, {
    status: 404,
    body: { error: 'there is nothing at "/overlay/pools/web/backends/a:1/priority"' },
  });
});

Deno.test.each([
  {
    error: new StartError('server "web": :80 is taken', "choose another"),
    status: 409,
    body: { error: 'nothing was given back: server "web": :80 is taken', hint: "choose another" },
  },
  {
    error: new ConfigError([{
      path: ["servers", "web", "bind"],
      message: "is taken",
      hint: "",
      file: "twixt.toml",
      line: 3,
    }]),
    status: 400,
    body: {
      error: "nothing was given back: is taken",
      key: "servers.web.bind",
      file: "twixt.toml",
      line: 3,
    },
  },
])("DELETE of what can't be given back is answered $status and says so", async (
  { error, status, body },
) => {
  const { send } = setUp({ forget: () => Promise.reject(error) });
  assert.deepEqual(await send("DELETE", "/overlay/servers/web"), { status, body });
});

Deno.test("POST /reload says what changed by name, and which conflicts that brings", async () => {
  const changes = {
    ...NO_CHANGES,
    text: "1 server added",
    servers: { added: ["new"], changed: [], removed: [] },
  };
  const { send } = setUp({
    reload: () => Promise.resolve({ changes, conflicts: [CONFLICT] }),
  });
  assert.deepEqual(await send("POST", "/reload"), {
    status: 200,
    body: {
      changes: "1 server added",
      servers: changes.servers,
      pools: changes.pools,
      conflicts: [SHOWN],
    },
  });
});

Deno.test("GET /reload counts reloads and shows the last one, without secrets", async () => {
  assert.deepEqual(await setUp().send("GET", "/reload"), {
    status: 200,
    body: { applied: 0, failed: 0, last: null },
  });
  const atMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
  const done = setUp({
    reloads: () => ({
      applied: 2,
      failed: 1,
      last: { atMs, order: "signal", changes: NO_CHANGES },
    }),
  });
  const { body } = await done.send("GET", "/reload");
  assert.equal(Date.parse(body.last.time), atMs);
  const { servers, pools } = NO_CHANGES;
  assert.deepEqual({ ...body, last: { ...body.last, time: "" } }, {
    applied: 2,
    failed: 1,
    last: { time: "", order: "signal", applied: true, changes: "nothing changed", servers, pools },
  });
  const errors = ["http://u:hush@c/ can't be had"];
  const failed = setUp({
    reloads: () => ({ applied: 0, failed: 1, last: { atMs, order: "source", errors } }),
  });
  const { last } = (await failed.send("GET", "/reload")).body;
  assert.deepEqual([last.applied, last.order], [false, "source"]);
  assert.deepEqual(last.errors, ["http://u:********@c/ can't be had"]);
});
