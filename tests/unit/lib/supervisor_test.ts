import assert from "node:assert/strict";
import { discoveries } from "../../../discovery/registry.ts";
import { checks } from "../../../health/registry.ts";
import { strategies } from "../../../lib/balance/registry.ts";
import { systemClock } from "../../../lib/clock.ts";
import { loadConfig } from "../../../lib/config/load.ts";
import { StartError } from "../../../lib/errors.ts";
import type { Config } from "../../../lib/model.ts";
import { lookup } from "../../../lib/net/lookup.ts";
import { Names } from "../../../lib/net/names.ts";
import { CheckPlaces } from "../../../lib/check_places.ts";
import { counterBuffer, Counters } from "../../../lib/stats/counters.ts";
import { Slots } from "../../../lib/stats/slots.ts";
import { Supervisor } from "../../../lib/supervisor.ts";
import { Workers } from "../../../lib/workers.ts";
import { ask, echo, greeter, until } from "../../support/backends.ts";
import { InlineWorker } from "../../support/inline_worker.ts";
import { runProgram } from "../../../lib/host/program.ts";
import { MemoryLog } from "../../support/log.ts";

/** Servers by name, each with its bind and its backends. */
type Servers = Record<string, { bind?: string; backends?: string[]; [key: string]: unknown }>;

function config(servers: Servers): Config {
  const tree = Object.entries(servers).map(([name, { bind, backends, ...rest }]) => [name, {
    bind: bind ?? "127.0.0.1:0",
    discovery: { kind: "static", static_list: backends ?? [] },
    ...rest,
  }]);
  const text = JSON.stringify({ servers: Object.fromEntries(tree) });
  return loadConfig(text, {
    file: "test",
    format: "json",
    kinds: { strategies, discoveries, checks },
  }).config;
}

/** A supervisor over two workers in this isolate. */
async function setUp() {
  const log = new MemoryLog();
  const buffer = counterBuffer(2);
  const counters = new Counters(buffer, 2, 2);
  const clock = systemClock;
  const workers = new Workers({
    count: 2,
    spawn: () => new InlineWorker(),
    setup: { bufferBudget: 1 << 20, debug: false },
    ...{ buffer, counters, clock, log },
  });
  const random = Math.random;
  const supervisor = new Supervisor(config({}), {
    ...{ plane: workers, counters, clock, log, random, discoveries, checks },
    slots: new Slots(counters),
    names: new Names({ lookup, clock, random, onFailures: () => {} }),
    checkPlaces: new CheckPlaces(4),
    wallTime: () => Date.now(),
    run: runProgram,
  });
  await workers.start();
  return {
    supervisor,
    counters,
    port: (name: string) => supervisor.listening().find((server) => server.name === name)!.port,
    async [Symbol.asyncDispose]() {
      supervisor.stop();
      workers.end();
      await new Promise((resolve) => setTimeout(resolve, 10));
    },
  };
}

Deno.test("apply() listens on every worker and reports what changed", async () => {
  await using backend = greeter("a");
  await using balancer = await setUp();
  const { supervisor, port } = balancer;
  const servers = { web: { backends: [backend.address] } };
  assert.deepEqual(await supervisor.apply(config(servers)), {
    text: "1 server added, 1 pool added",
    servers: { added: ["web"], changed: [], removed: [] },
    pools: { added: ["web"], changed: [], removed: [] },
  });
  for (let i = 0; i < 10; i++) assert.equal(await ask(port("web")), "a");
  await until(() => supervisor.status("web")!.traffic.active === 0);
  const status = supervisor.status("web")!;
  assert.deepEqual([status.traffic.total, status.traffic.rx], [10, 10]);
  assert.equal(status.backends[0]!.traffic.total, 10);
  assert.equal((await supervisor.apply(config(servers))).text, "nothing changed");
  assert.equal(supervisor.status("nope"), undefined);
});

Deno.test("apply() swaps a changed pool without touching the listener or open sessions", async () => {
  await using old = echo();
  await using young = greeter("young");
  await using balancer = await setUp();
  const { supervisor, port } = balancer;
  await supervisor.apply(config({ web: { backends: [old.address] } }));
  const before = port("web");
  using client = await Deno.connect({ port: before });
  await client.write(new Uint8Array(1));
  assert.equal(await client.read(new Uint8Array(1)), 1);
  assert.equal(
    (await supervisor.apply(config({ web: { backends: [young.address] } }))).text,
    "1 pool changed",
  );
  assert.equal(port("web"), before);
  assert.equal(await ask(before), "young");
  await client.write(new Uint8Array(1));
  assert.equal(await client.read(new Uint8Array(1)), 1);
  assert.deepEqual(supervisor.status("web")!.backends.map(({ discovered }) => discovered), [
    false,
    true,
  ]);
});

Deno.test("apply() moves a server to a new address, and a removed one stops listening", async () => {
  await using backend = greeter("a");
  await using balancer = await setUp();
  const { supervisor, port } = balancer;
  const backends = [backend.address];
  await supervisor.apply(config({ web: { backends }, gone: { backends } }));
  const [first, gone] = [port("web"), port("gone")];
  await supervisor.apply(config({ web: { backends, bind: "127.0.0.2:0" } }));
  assert.notEqual(port("web"), first);
  using conn = await Deno.connect({ hostname: "127.0.0.2", port: port("web") });
  assert.equal(await conn.read(new Uint8Array(5)), 1);
  for (const closed of [first, gone]) {
    await until(() => ask(closed).then(() => false, () => true));
  }
});

Deno.test("apply() changes nothing when one of the new servers can't listen", async () => {
  await using backend = greeter("a");
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using balancer = await setUp();
  const { supervisor, port } = balancer;
  const backends = [backend.address];
  const first = config({ web: { backends } });
  await supervisor.apply(first);
  const bind = `127.0.0.1:${taken.addr.port}`;
  await assert.rejects(
    supervisor.apply(
      config({ web: { backends: [] }, free: { backends }, bad: { backends, bind } }),
    ),
    (error: StartError) => {
      assert.ok(error instanceof StartError);
      assert.equal(error.message, `server "bad" can't listen on ${bind}: address in use`);
      return true;
    },
  );
  assert.equal(supervisor.config(), first);
  assert.deepEqual(supervisor.listening().map(({ name }) => name), ["web"]);
  assert.equal(await ask(port("web")), "a");
});

Deno.test("a server that gets another name keeps its address", async () => {
  await using backend = greeter("a");
  await using balancer = await setUp();
  const { supervisor, port } = balancer;
  await supervisor.apply(config({ web: { backends: [backend.address] } }));
  const bind = `127.0.0.1:${port("web")}`;
  await supervisor.apply(config({ web: { backends: [backend.address], bind } }));
  await supervisor.apply(config({ other: { backends: [backend.address], bind } }));
  assert.equal(port("other"), Number(bind.split(":")[1]));
  assert.equal(await ask(port("other")), "a");
});

/** A configuration of pools with one static backend each, and servers as they are. */
function pooled(pools: Record<string, string>, servers: Record<string, unknown>): Config {
  const text = JSON.stringify({
    servers,
    pools: Object.fromEntries(
      Object.entries(pools).map(([name, backend]) => [name, {
        discovery: { kind: "static", static_list: [backend] },
      }]),
    ),
  });
  const kinds = { strategies, discoveries, checks };
  return loadConfig(text, { file: "test", format: "json", kinds }).config;
}

Deno.test("a server with routes alone shows the backends of their pools, and a reload leads on to others", async () => {
  await using a = greeter("a");
  await using b = greeter("b");
  await using balancer = await setUp();
  const { supervisor, port } = balancer;
  const bind = "127.0.0.1:0";
  const near = { client: ["127.0.0.0/8"] };
  const far = { client: ["192.0.2.0/24"] };
  const pools = { a: a.address, b: b.address };
  const led = (...routes: unknown[]) => pooled(pools, { web: { bind, routes } });
  await supervisor.apply(led({ match: near, pool: "b" }, { match: far, pool: "a" }, { pool: "b" }));
  const ports = supervisor.status("web")!.backends.map(({ backend }) => backend.port);
  assert.deepEqual(ports, [b.port, a.port]);
  assert.equal(await ask(port("web")), "b");
  const { text } = await supervisor.apply(led({ match: near, pool: "a" }));
  assert.equal(text, "1 server changed");
  for (let i = 0; i < 5; i++) assert.equal(await ask(port("web")), "a");
  const only = pooled({ b: b.address }, { web: { bind, routes: [{ match: far, pool: "b" }] } });
  await supervisor.apply(only);
  assert.equal(supervisor.pool("a"), undefined);
  assert.equal(await ask(port("web")).catch(() => ""), "");
  assert.equal(supervisor.status("web")!.refusals.noRoute, 1);
});

Deno.test("a server with a pool of its own shows that pool's backends alone, though routes lead elsewhere", async () => {
  await using a = greeter("a");
  await using b = greeter("b");
  await using balancer = await setUp();
  const { supervisor, port } = balancer;
  await supervisor.apply(pooled({ b: b.address }, {
    web: {
      bind: "127.0.0.1:0",
      routes: [{ match: { client: ["192.0.2.0/24"] }, pool: "b" }],
      discovery: { kind: "static", static_list: [a.address] },
    },
  }));
  assert.deepEqual(supervisor.status("web")!.backends.map(({ backend }) => backend.port), [a.port]);
  assert.equal(await ask(port("web")), "a");
});
