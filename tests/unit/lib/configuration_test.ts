import assert from "node:assert/strict";
import { discoveries } from "../../../discovery/registry.ts";
import { checks } from "../../../health/registry.ts";
import { strategies } from "../../../lib/balance/registry.ts";
import { systemClock } from "../../../lib/clock.ts";
import { Configuration, type ConfigurationOptions } from "../../../lib/configuration.ts";
import { lookup } from "../../../lib/net/lookup.ts";
import { Names } from "../../../lib/net/names.ts";
import { NO_OVERLAY, type Overlay } from "../../../lib/overlay.ts";
import { Semaphore } from "../../../lib/semaphore.ts";
import { counterBuffer, Counters } from "../../../lib/stats/counters.ts";
import { Slots } from "../../../lib/stats/slots.ts";
import { NO_STATE } from "../../../lib/state.ts";
import { Supervisor } from "../../../lib/supervisor.ts";
import { Workers } from "../../../lib/workers.ts";
import { ask, greeter } from "../../support/backends.ts";
import { InlineWorker } from "../../support/inline_worker.ts";
import { MemoryLog } from "../../support/log.ts";

const kinds = { strategies, discoveries, checks };

function server(backends: readonly string[], more: Record<string, unknown> = {}) {
  return {
    bind: "127.0.0.1:0",
    discovery: { kind: "static", static_list: backends },
    ...more,
  };
}

/** A balancer with this base, which the test may replace, and a state file in memory. */
async function setUp(base: Record<string, unknown>, overlay: Overlay = NO_OVERLAY) {
  const log = new MemoryLog();
  const state = { base, kept: overlay, broken: false };
  const file: ReturnType<ConfigurationOptions["stateFile"]> = {
    path: "state.json",
    read: () => ({ ...NO_STATE, overlay: state.kept }),
    write({ overlay }) {
      if (state.broken) throw new Error("No space left on device");
      state.kept = overlay;
    },
  };
  const configuration = new Configuration({
    source: {
      about: { kind: "arguments" },
      read: () =>
        Promise.resolve({
          text: JSON.stringify({ servers: state.base }),
          format: "json",
          file: "x",
        }),
    },
    kinds,
    lenient: false,
    stateFile: () => file,
    startedAtMs: 0,
    wallTime: Date.now,
  });
  const buffer = counterBuffer(2);
  const counters = new Counters(buffer, 2, 2);
  const clock = systemClock;
  const workers = new Workers({
    count: 2,
    spawn: () => new InlineWorker(),
    setup: { bufferBudget: 1 << 20, debug: false },
    ...{ buffer, counters, clock, log },
  });
  const { config } = await configuration.load();
  const random = Math.random;
  const supervisor = new Supervisor({ ...config, servers: new Map(), pools: new Map() }, {
    ...{ workers, counters, clock, log, random, discoveries, checks, wallTime: Date.now },
    slots: new Slots(counters),
    names: new Names({ lookup, clock, random, onFailure: () => {} }),
    checkPlaces: new Semaphore(4),
  });
  await workers.start();
  await supervisor.apply(config);
  await configuration.attach(supervisor, log, { check: () => {}, done: () => Promise.resolve() });
  return {
    ...{ configuration, state, log },
    port: (name: string) => supervisor.listening().find((each) => each.name === name)!.port,
    async [Symbol.asyncDispose]() {
      supervisor.stop();
      workers.end();
      await new Promise((resolve) => setTimeout(resolve, 10));
    },
  };
}

Deno.test("addServer() listens at once, and is kept over a reload and a restart", async () => {
  await using backend = greeter("a");
  const base = { web: server([backend.address]) };
  let kept: Overlay;
  {
    await using one = await setUp(base);
    await one.configuration.addServer("new", server([backend.address]));
    assert.equal(await ask(one.port("new")), "a");
    assert.equal(await one.configuration.reload(), "nothing changed");
    assert.equal(await ask(one.port("new")), "a");
    kept = one.state.kept;
  }
  await using two = await setUp(base, kept);
  assert.equal(await ask(two.port("new")), "a");
});

Deno.test("addServer() refuses a name that is taken, and what can't be used with its key path", async () => {
  await using balancer = await setUp({ web: server([]) });
  const { configuration, state } = balancer;
  await assert.rejects(configuration.addServer("web", server([])), {
    name: "StartError",
    message: 'there is a server "web" already',
  });
  await assert.rejects(
    configuration.addServer("bad", server([], { bind: "x", balance: "roundrobbin" })),
    (error) => {
      const paths = (error as { problems: { path: string[] }[] }).problems.map(({ path }) =>
        path.join(".")
      );
      assert.deepEqual(
        paths.toSorted(),
        ["servers.bad.balance", "servers.bad.bind"],
      );
      return true;
    },
  );
  await assert.rejects(configuration.addServer("bad", null), { name: "ConfigError" });
  assert.deepEqual([...configuration.config().servers.keys()], ["web"]);
  assert.equal(state.kept, NO_OVERLAY);
});

Deno.test("removeServer() ends sessions, hides a server of the base, and says when there is none", async () => {
  await using backend = greeter("a");
  await using balancer = await setUp({ web: server([backend.address]), other: server([]) });
  const { configuration, state } = balancer;
  assert.equal(await configuration.removeServer("web"), true);
  assert.equal(await configuration.removeServer("web"), false);
  await configuration.reload();
  assert.deepEqual([...configuration.config().servers.keys()], ["other"]);
  assert.deepEqual(state.kept.servers, { web: null });
  await configuration.addServer("web", server([backend.address]));
  assert.equal(await ask(balancer.port("web")), "a");
});

Deno.test("changeBackend() sets weight and drain over what discovery says, and gives them back", async () => {
  await using one = greeter("one");
  await using two = greeter("two");
  await using balancer = await setUp({
    web: server([one.address, two.address], { balance: "weight" }),
  });
  const { configuration, state, port } = balancer;
  const answers = async () =>
    new Set(await Promise.all(Array.from({ length: 40 }, () => ask(port("web")))));
  const changed = await configuration.changeBackend("web", one.address, { weight: 0 });
  assert.equal(changed!.backend.weight, 0);
  assert.deepEqual(await answers(), new Set(["two"]));
  await configuration.reload();
  assert.deepEqual(await answers(), new Set(["two"]));
  await configuration.changeBackend("web", one.address, { weight: null });
  assert.deepEqual(await answers(), new Set(["one", "two"]));
  assert.equal(
    (await configuration.changeBackend("web", two.address, { drain: true }))!.draining,
    true,
  );
  assert.deepEqual(await answers(), new Set(["one"]));
  assert.deepEqual(state.kept.backends, { web: { [two.address]: { draining: true } } });
  await configuration.changeBackend("web", two.address, { drain: false });
  assert.deepEqual(state.kept, NO_OVERLAY);
  assert.equal(await configuration.changeBackend("web", "10.0.0.1:80", { drain: true }), undefined);
  assert.equal(await configuration.changeBackend("nope", one.address, { drain: true }), undefined);
});

Deno.test("a change that can't be saved is in force, and says that it is lost with the process", async () => {
  await using balancer = await setUp({ web: server([]) });
  const { configuration, state, log } = balancer;
  state.broken = true;
  await assert.rejects(configuration.addServer("new", server([])), { name: "StateError" });
  assert.ok(configuration.config().servers.has("new"));
  assert.ok(log.lines.some((line) => line.includes("state.json can't be written: No space left")));
});

Deno.test("reload() with a base that can't be used, or has nothing to do, changes nothing", async () => {
  await using backend = greeter("a");
  await using balancer = await setUp({ web: server([backend.address]) });
  const { configuration, state, port } = balancer;
  for (const base of [{ web: { bind: "nonsense" } }, {}]) {
    state.base = base;
    await assert.rejects(configuration.reload(), { name: "ConfigError" });
    assert.equal(await ask(port("web")), "a");
  }
});

Deno.test("after a reload that failed, removing a server still goes by the base in force", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using balancer = await setUp({ web: server([]), two: server([]) });
  const { configuration, state } = balancer;
  state.base = { web: server([]), three: server([], { bind: `127.0.0.1:${taken.addr.port}` }) };
  await assert.rejects(configuration.reload(), { name: "StartError" });
  assert.equal(await configuration.removeServer("two"), true);
  assert.deepEqual([...configuration.config().servers.keys()], ["web"]);
  assert.deepEqual(state.kept.servers, { two: null });
});

Deno.test("a server can't take the port that the system gave another one", async () => {
  await using one = greeter("one");
  await using balancer = await setUp({ web: server([one.address]) });
  const bind = `127.0.0.1:${balancer.port("web")}`;
  await assert.rejects(balancer.configuration.addServer("thief", server([], { bind })), {
    name: "StartError",
  });
  assert.equal(await ask(balancer.port("web")), "one");
});

Deno.test("what was changed about a server's own backends goes with it", async () => {
  await using one = greeter("one");
  await using balancer = await setUp({ web: server([]) });
  const { configuration, state, port } = balancer;
  await configuration.addServer("new", server([one.address]));
  await configuration.changeBackend("new", one.address, { drain: true });
  await configuration.removeServer("new");
  assert.deepEqual(state.kept, NO_OVERLAY);
  await configuration.addServer("new", server([one.address]));
  assert.equal(await ask(port("new")), "one");
});

Deno.test("a kept server that no longer fits is blamed on the state file, not on a line of the base", async () => {
  const overlay: Overlay = { servers: { five: { bind: "nonsense" } }, backends: {} };
  await assert.rejects(setUp({ web: server([]) }, overlay), (error) => {
    const { problems } = error as { problems: { file: string; line?: number; hint: string }[] };
    assert.ok(problems.length > 0);
    for (const { file, line, hint } of problems) {
      assert.deepEqual([file, line], ["state.json", undefined]);
      assert.equal(hint, "the API has added this server; mend or move state.json");
    }
    return true;
  });
});
