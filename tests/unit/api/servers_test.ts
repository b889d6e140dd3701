import assert from "node:assert/strict";
import type { Section } from "../../../lib/model.ts";
import type { ServerStatus, Traffic } from "../../../lib/status.ts";
import { fakeApi, LOCAL } from "../../support/control.ts";

const NONE: Traffic = { active: 0, total: 0, refused: 0, rx: 0, tx: 0, rxRate: 0, txRate: 0 };

const WEB: Section = {
  max_connections: 10,
  client_idle_timeout: "10m",
  backend_idle_timeout: "0",
  backend_connection_timeout: "5s",
  bind: "localhost:3001",
  protocol: "tcp",
  balance: "weight",
  sni: null,
  tls: null,
  backends_tls: null,
  udp: null,
  access: { default: "deny", rules: ["allow 10.0.0.0/8", "allow <lab> & <desk>"] },
  proxy_protocol: null,
  discovery: {
    kind: "consul",
    failpolicy: "keeplast",
    interval: "10s",
    timeout: "5s",
    static_list: [],
    consul_host: "http://reader:pw@consul:8500",
    consul_acl_token: "secret",
  },
  healthcheck: {
    kind: "ping",
    interval: "2s",
    passes: 1,
    fails: 1,
    timeout: "1s",
    initial_status: null,
  },
};

const REFUSALS = {
  overCapacity: 0,
  overLimit: 0,
  denied: 0,
  noBackend: 0,
  unknownProxy: 0,
  badProxyHeader: 0,
  handshakeFailed: 0,
  handshakeTimedOut: 0,
  overUnfinished: 0,
  badClientCertificate: 0,
  noRoute: 0,
  badHello: 0,
  helloTimeout: 0,
};
const STATUS: ServerStatus = {
  name: "web",
  refusals: {
    overCapacity: 1,
    overLimit: 2,
    denied: 3,
    noBackend: 4,
    unknownProxy: 5,
    badProxyHeader: 6,
    handshakeFailed: 7,
    handshakeTimedOut: 8,
    overUnfinished: 9,
    badClientCertificate: 13,
    noRoute: 10,
    badHello: 11,
    helloTimeout: 12,
  },
  unfinishedHandshakes: 13,
  guardedWorkers: 14,
  traffic: { ...NONE, active: 3, rx: 1e17, tx: 1e12, rxRate: 1536.9, txRate: -0.5 },
  backends: [
    {
      backend: {
        host: "10.0.0.1",
        port: 8000,
        weight: 2,
        priority: 1,
        maxConnections: 100,
        sni: "www.example.com",
      },
      discoveredWeight: 1,
      live: true,
      discovered: true,
      draining: false,
      lastCheck: "",
      traffic: { active: 3, total: 41, refused: 4, rx: 5, tx: 6, rxRate: 7, txRate: 8 },
    },
    {
      backend: {
        host: "2001:db8::1",
        port: 443,
        weight: 0,
        priority: 2,
        maxConnections: 0,
        sni: "",
      },
      discoveredWeight: 0,
      live: false,
      discovered: false,
      draining: false,
      lastCheck: "",
      traffic: { ...NONE, active: -1 },
    },
  ],
};

Deno.test.each([
  { path: "/servers/web", golden: "server.json" },
  { path: "/servers/web/stats", golden: "stats.json" },
])("GET $path answers $golden to the byte", async ({ path, golden }) => {
  const app = fakeApi({ servers: { web: WEB }, statuses: { web: STATUS } });
  const answer = await app.request(path, {}, LOCAL);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("content-type"), "application/json; charset=utf-8");
  const file = new URL(`../../fixtures/api/${golden}`, import.meta.url);
  assert.equal(await answer.text() + "\n", await Deno.readTextFile(file));
});

Deno.test.each([
  { servers: {}, body: "{}" },
  {
    servers: { web: { b: 1, a: null }, "8080": { password: "x" }, "-x": {} },
    body: `{
    "-x": {},
    "8080": {
        "password": "********"
    },
    "web": {
        "b": 1,
        "a": null
    }
}`,
  },
])("GET /servers sorts the names, keeps each server's order and masks: $body", async (
  { servers, body },
) => {
  const answer = await fakeApi({ servers }).request("/servers", {}, LOCAL);
  assert.equal(answer.status, 200);
  assert.equal(await answer.text(), body);
});

Deno.test("GET /servers/NAME/stats of a server without backends has an empty list", async () => {
  const app = fakeApi({
    statuses: {
      web: {
        name: "web",
        traffic: NONE,
        refusals: REFUSALS,
        unfinishedHandshakes: 0,
        guardedWorkers: 0,
        backends: [],
      },
    },
  });
  const body = await (await app.request("/servers/web/stats", {}, LOCAL)).json();
  assert.deepEqual(body.backends, []);
});
