import assert from "node:assert/strict";
import fc from "fast-check";
import {
  consul,
  consulBackends,
  consulIn,
  type ConsulOptions,
  type ConsulSurroundings,
} from "../../../discovery/consul.ts";
import { loadConfig } from "../../../lib/config/load.ts";
import { ConfigError } from "../../../lib/errors.ts";
import { runProgram } from "../../../lib/host/program.ts";
import { type Backend, backendKey } from "../../../lib/model.ts";
import { Registry } from "../../../lib/registry.ts";
import { until } from "../../support/backends.ts";
import { kinds } from "../../support/kinds.ts";
import { type Answer, Hang, WebServer } from "../../support/web_server.ts";

type Row = {
  readonly id?: string;
  readonly address?: string;
  readonly node?: string;
  readonly port?: unknown;
  readonly tags?: readonly string[] | null;
  readonly meta?: Readonly<Record<string, string>> | null;
  readonly weights?: unknown;
  readonly checks?: readonly string[];
};

/** An instance as Consul tells of it. */
function row({ id = "web", address = "10.0.0.1", node = "10.9.9.9", port = 80, ...row }: Row = {}) {
  const { tags = null, meta = null, weights = { Passing: 1, Warning: 1 }, checks = [] } = row;
  return {
    Node: { Node: "n1", Address: node },
    Service: {
      ...{ ID: id, Service: "web", Address: address, Port: port },
      ...{ Tags: tags, Meta: meta, Weights: weights },
    },
    Checks: checks.map((Status) => ({ Status })),
  };
}

function read(rows: readonly unknown[]) {
  const skipped: string[] = [];
  const skip = (entry: string, why: string) => void skipped.push(`${entry}: ${why}`);
  return { backends: consulBackends(JSON.stringify(rows), skip), skipped };
}

const PLAIN = { host: "10.0.0.1", port: 80, weight: 1, priority: 1, maxConnections: 0, sni: "" };

Deno.test.each<{ what: string; row: Row; is: Partial<Backend> }>([
  { what: "a plain instance", row: {}, is: {} },
  { what: "no address of its own", row: { address: "" }, is: { host: "10.9.9.9" } },
  { what: "IPv6", row: { address: "fd00::1" }, is: { host: "fd00::1" } },
  { what: "IPv6 in brackets", row: { address: "[fd00::1]" }, is: { host: "fd00::1" } },
  { what: "a name", row: { address: "web.internal" }, is: { host: "web.internal" } },
  {
    what: "two sni tags",
    row: { tags: ["sni=a", "x", "sni= b.test "] },
    is: { sni: "b.test" },
  },
  {
    what: "all checks passing",
    row: { weights: { Passing: 5, Warning: 2 }, checks: ["passing", "passing"] },
    is: { weight: 5 },
  },
  {
    what: "a warning",
    row: { weights: { Passing: 5, Warning: 2 }, checks: ["passing", "warning"] },
    is: { weight: 2 },
  },
  {
    what: "a failure",
    row: { weights: { Passing: 5, Warning: 0 }, checks: ["critical"] },
    is: { weight: 0 },
  },
  { what: "no weights (Consul before 1.2)", row: { weights: null }, is: {} },
  {
    what: "metadata",
    row: {
      weights: { Passing: 5, Warning: 2 },
      meta: { weight: "7", priority: "0", max_connections: "100", other: "x" },
    },
    is: { weight: 7, priority: 0, maxConnections: 100 },
  },
])("consulBackends() of an instance with $what", ({ row: facts, is }) => {
  assert.deepEqual(read([row(facts)]), { backends: [{ ...PLAIN, ...is }], skipped: [] });
});

Deno.test("consulBackends() skips what can't be dialled, and metadata that is no number", () => {
  const { backends, skipped } = read([
    row({ id: "a", port: 0 }),
    row({ id: "b", port: 70_000 }),
    row({ id: "c", address: "a b" }),
    row({ id: "d", address: "", node: "" }),
    null,
    row({ id: "f", meta: { weight: "high", priority: "-1", max_connections: "2147483648" } }),
  ]);
  assert.deepEqual(backends, [PLAIN]);
  assert.deepEqual(skipped, [
    "a: its port 0 is not a number from 1 to 65535",
    "b: its port 70000 is not a number from 1 to 65535",
    'c: its host "a b" is neither a name nor an address',
    "d: it has no host",
    "an instance: it has no host",
    'metadata of f: weight "high" is no whole number',
    'metadata of f: priority "-1" is no whole number',
    'metadata of f: max_connections "2147483648" is no whole number',
  ]);
});

Deno.test("consulBackends() takes an empty list, and nothing that is no list", () => {
  assert.deepEqual(read([]).backends, []);
  for (const text of ["", "<html>", "{}", "null", '"x"']) {
    assert.throws(
      () => consulBackends(text, () => {}),
      /^DiscoveryError: the answer isn't Consul's/,
    );
  }
});

Deno.test("consulBackends() gives usable backends whatever is in the list", () => {
  fc.assert(fc.property(fc.array(fc.jsonValue()), fc.jsonValue(), (rows, service) => {
    for (const { host, port, weight } of read([...rows, { Service: service }]).backends) {
      assert.ok(host !== "" && port >= 1 && port <= 65_535 && weight >= 0);
    }
  }));
});

const OPTIONS: ConsulOptions = {
  consul_host: "",
  consul_service_name: "web",
  consul_service_tag: "",
  consul_service_passing_only: false,
  consul_datacenter: "",
  consul_auth_username: "",
  consul_auth_password: "",
  consul_acl_token: "",
  consul_tls_enabled: false,
  consul_tls_cert_path: "",
  consul_tls_key_path: "",
  consul_tls_cacert_path: "",
  consul_tls_insecure: false,
};

/** A Consul that answers so, and the discovery that asks it. */
function setUp(answer: Answer, surroundings: Partial<ConsulSurroundings> = {}) {
  const server = new WebServer(answer);
  const kind = consulIn({
    ...{ waitMs: 60_000, limitMs: 5_000, retryMs: 20, token: () => undefined },
    ...surroundings,
  });
  const stop = new AbortController();
  const context = { signal: stop.signal, run: runProgram, skip: () => {} };
  const options = (more: Partial<ConsulOptions>) => ({
    ...OPTIONS,
    consul_host: server.address,
    ...more,
  });
  const find = async (more: Partial<ConsulOptions> = {}) =>
    (await kind.find(options(more), context)).map(backendKey);
  /** Lists as they are told of. */
  const watch = () => {
    const lists: string[][] = [];
    const ended = (async () => {
      for await (const list of kind.watch!(options({}), context)) lists.push(list.map(backendKey));
    })();
    ended.catch(() => {});
    return { lists, ended };
  };
  return { server, find, watch, stop };
}

function listOf(index: number | undefined, ...hosts: string[]): Response {
  const headers = new Headers(index === undefined ? {} : { "x-consul-index": String(index) });
  return Response.json(hosts.map((address) => row({ address })), { headers });
}

Deno.test("consul asks for what the keys say", async () => {
  const { server, find } = setUp(() => listOf(5, "10.0.0.1"), { token: () => "from-env" });
  await using _server = server;
  assert.deepEqual(await find(), ["10.0.0.1:80"]);
  assert.equal(server.requests[0]!.url, `http://${server.address}/v1/health/service/web`);
  assert.equal(server.requests[0]!.headers.get("x-consul-token"), "from-env");
  assert.equal(server.requests[0]!.headers.get("authorization"), null);
  await find({
    consul_host: `http://${server.address}/`,
    consul_service_name: "a b/c",
    consul_service_tag: "eu, v2,",
    consul_service_passing_only: true,
    consul_datacenter: "dc2",
    consul_auth_username: "me",
    consul_auth_password: "pw",
    consul_acl_token: "own",
  });
  const { url, headers } = server.requests[1]!;
  const query = "dc=dc2&tag=eu&tag=v2&passing=1";
  assert.equal(url, `http://${server.address}/v1/health/service/a%20b%2Fc?${query}`);
  assert.equal(headers.get("x-consul-token"), "own");
  assert.equal(headers.get("authorization"), `Basic ${btoa("me:pw")}`);
});

Deno.test.each([
  { answer: () => new Response("No cluster leader", { status: 500 }), says: "status 500: No clus" },
  { answer: () => new Response(null, { status: 302 }), says: "status 302" },
  {
    answer: () => new Response("ACL not found", { status: 403 }),
    says: "its ACLs don't let anybody without a token see the service: ACL not found; give one",
  },
  {
    answer: () => Response.json([], { headers: { "x-consul-results-filtered-by-acls": "true" } }),
    says: "its ACLs hide the service's instances from anybody without a token; give one that may",
  },
])("consul fails with $says", async ({ answer, says }) => {
  const { server, find } = setUp(answer);
  await using _server = server;
  await assert.rejects(find(), (error: Error) => {
    assert.equal(error.name, "DiscoveryError");
    assert.ok(error.message.startsWith(`Consul at ${server.address}: ${says}`), error.message);
    return true;
  });
});

Deno.test("consul waits with the index of the last answer, and begins anew where it goes back", async () => {
  const held = new Hang();
  const answers = [
    () => listOf(7, "10.0.0.1"),
    () => listOf(7, "10.0.0.1"), // the wait is over, nothing has changed
    () => listOf(9, "10.0.0.2"),
    () => listOf(3, "10.0.0.3"), // its state was lost
    () => listOf(4, "10.0.0.4"),
    () => new Response("", { status: 504 }), // something in between gave up the wait
    () => listOf(4, "10.0.0.5"),
  ];
  const { server, watch, stop } = setUp((request) => (answers.shift() ?? held.answer)(request));
  await using _server = server;
  const { lists, ended } = watch();
  await until(() => server.requests.length === 8);
  assert.deepEqual(lists.flat(), [1, 2, 3, 4, 5].map((n) => `10.0.0.${n}:80`));
  const waits = server.requests.map(({ url }) => new URL(url).search);
  const wait = (index: number) => `?index=${index}&wait=60000ms`;
  assert.deepEqual(waits, ["", wait(7), wait(7), wait(9), "", wait(4), "", wait(4)]);
  stop.abort();
  await ended.catch(() => {});
  held.end();
});

Deno.test("consul: a wait that hangs is given up, and one that hangs at once as well fails", async () => {
  const held = new Hang();
  const answers: Answer[] = [() => listOf(7, "10.0.0.1"), held.answer, () => listOf(8, "10.0.0.2")];
  const { server, watch } = setUp((request) => (answers.shift() ?? held.answer)(request), {
    ...{ waitMs: 16, limitMs: 300 },
  });
  await using _server = server;
  const { lists, ended } = watch();
  await assert.rejects(ended, { message: `Consul at ${server.address}: no answer in time` });
  assert.deepEqual(lists.flat(), ["10.0.0.1:80", "10.0.0.2:80"]);
  assert.equal(server.requests.length, 5);
  held.end();
});

/** What the check of a configuration says of a `consul_host`. */
function problemOf(host: string): string {
  const discovery = { kind: "consul", consul_host: host, consul_service_name: "web" };
  const text = JSON.stringify({ servers: { web: { bind: ":1", discovery } } });
  const discoveries = new Registry("discovery", [consul]);
  try {
    loadConfig(text, { file: "x", format: "json", kinds: { ...kinds, discoveries } });
    return "";
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems.map(({ message }) => message).join();
  }
}

Deno.test.each([
  { host: "127.0.0.1:8500", says: "" },
  { host: "[::1]:8500", says: "" },
  { host: "https://consul.test", says: "" },
  { host: "unix:///run/consul.sock", says: "" },
  { host: "", says: "is empty" },
  { host: "consul", says: '"consul" has no port' },
  { host: ":8500", says: '":8500" has no host or port' },
  { host: "unix://run", says: '"unix://run" has no absolute path' },
  { host: "ftp://x", says: '"ftp://x" is not Consul\'s address' },
  { host: "http://x/y", says: '"http://x/y" is not Consul\'s address' },
  { host: "http://me:pw@x:1", says: "has a name or a password in it" },
])("consul_host $host is judged with the configuration", ({ host, says }) => {
  assert.equal(problemOf(host), says);
});
