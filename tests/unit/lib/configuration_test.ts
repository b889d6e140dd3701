import assert from "node:assert/strict";
import { NO_OVERLAY, type Overlay } from "../../../lib/overlay.ts";
import { ask, greeter } from "../../support/backends.ts";
import { ConfigError } from "../../../lib/errors.ts";
import { configured, serverOf } from "../../support/configured.ts";

Deno.test("addServer() listens at once, and is kept over a reload and a restart", async () => {
  await using backend = greeter("a");
  const base = { web: serverOf([backend.address]) };
  let kept: Overlay;
  {
    await using one = await configured(base);
    await one.configuration.addServer("new", serverOf([backend.address]));
    assert.equal(await ask(one.port("new")), "a");
    assert.equal((await one.configuration.reload()).changes.text, "nothing changed");
    assert.equal(await ask(one.port("new")), "a");
    kept = one.state.kept;
  }
  await using two = await configured(base, { overlay: kept });
  assert.equal(await ask(two.port("new")), "a");
});

Deno.test("addServer() refuses a name that is taken, and what can't be used with its key path", async () => {
  await using balancer = await configured({ web: serverOf([]) });
  const { configuration, state } = balancer;
  await assert.rejects(configuration.addServer("web", serverOf([])), {
    name: "StartError",
    message: 'there is a server "web" already',
  });
  await assert.rejects(
    configuration.addServer("bad", serverOf([], { bind: "x", balance: "roundrobbin" })),
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
  await using balancer = await configured({
    web: serverOf([backend.address]),
    other: serverOf([]),
  });
  const { configuration, state } = balancer;
  assert.equal(await configuration.removeServer("web"), true);
  assert.equal(await configuration.removeServer("web"), false);
  await configuration.reload();
  assert.deepEqual([...configuration.config().servers.keys()], ["other"]);
  assert.deepEqual(state.kept.servers, { web: null });
  await configuration.addServer("web", serverOf([backend.address]));
  assert.equal(await ask(balancer.port("web")), "a");
});

Deno.test("changeBackend() sets weight and drain over what discovery says, and gives them back", async () => {
  await using one = greeter("one");
  await using two = greeter("two");
  await using balancer = await configured({
    web: serverOf([one.address, two.address], { balance: "weight" }),
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
  await using balancer = await configured({ web: serverOf([]) });
  const { configuration, state, log } = balancer;
  state.broken = true;
  await assert.rejects(configuration.addServer("new", serverOf([])), { name: "StateError" });
  assert.ok(configuration.config().servers.has("new"));
  assert.ok(log.lines.some((line) => line.includes("state.json can't be written: No space left")));
});

Deno.test("reload() with a base that can't be used, or has nothing to do, changes nothing", async () => {
  await using backend = greeter("a");
  await using balancer = await configured({ web: serverOf([backend.address]) });
  const { configuration, state, port } = balancer;
  const bad = { web: serverOf([], { bind: "nonsense", balance: "roundrobbin" }) };
  for (const base of [bad, {}]) {
    state.base = base;
    await assert.rejects(configuration.reload("signal"), { name: "ConfigError" });
    assert.equal(await ask(port("web")), "a");
  }
  const { applied, failed, last } = configuration.reloads();
  assert.deepEqual([applied, failed, last!.order], [0, 2, "signal"]);
  assert.match(last!.errors!.join(), /^x: there is nothing to do: no server and no API; add/);
});

Deno.test("reload() says what it has changed: in its answer, in the log, in the count", async () => {
  await using balancer = await configured({ web: serverOf([]), gone: serverOf([]) });
  const { configuration, state, log } = balancer;
  state.base = { web: serverOf(["127.0.0.1:1"]), new: serverOf([]) };
  const before = Date.now();
  const { changes, conflicts } = await configuration.reload("source");
  assert.deepEqual(changes, {
    text: "1 server added, 1 server removed, 1 pool added, 1 pool changed, 1 pool removed",
    servers: { added: ["new"], changed: [], removed: ["gone"] },
    pools: { added: ["new"], changed: ["web"], removed: ["gone"] },
  });
  assert.deepEqual(conflicts, []);
  assert.equal(
    log.lines.at(-1),
    `info reloaded: ${changes.text} order=source servers_added=new servers_removed=gone ` +
      "pools_added=new pools_changed=web pools_removed=gone",
  );
  const { applied, failed, last } = configuration.reloads();
  assert.deepEqual([applied, failed, last!.order, last!.changes], [1, 0, "source", changes]);
  assert.ok(last!.atMs >= before && last!.atMs <= Date.now());
});

Deno.test("reload() refuses a base that is wrong where the overlay hides it, as a start does", async () => {
  await using balancer = await configured({ web: serverOf([]), other: serverOf([]) });
  const { configuration, state } = balancer;
  await configuration.removeServer("web");
  state.base = { ...state.base, web: serverOf([], { bind: "nonsense" }) };
  await assert.rejects(configuration.reload(), {
    name: "ConfigError",
    message: /servers\.web\.bind/,
  });
  await assert.rejects(configured(state.base, { overlay: state.kept }), {
    name: "ConfigError",
    message: /servers\.web\.bind/,
  });
});

Deno.test("forget() gives a removed server, a weight and a drain back, in force at once", async () => {
  await using one = greeter("one");
  await using two = greeter("two");
  await using balancer = await configured({
    web: serverOf([one.address, two.address], { balance: "weight" }),
  });
  const { configuration, state, port } = balancer;
  const answers = async () =>
    new Set(await Promise.all(Array.from({ length: 40 }, () => ask(port("web")))));
  const path = ["pools", "web", "backends", one.address];
  await configuration.changeBackend("web", one.address, { weight: 0 });
  await configuration.changeBackend("web", two.address, { drain: true });
  assert.deepEqual(await configuration.forget([...path, "drain"]), undefined);
  assert.deepEqual(await configuration.forget(["pools", "web", "backends", two.address]), {
    forgotten: [`pools/web/backends/${two.address}/drain`],
    changes: "nothing changed",
  });
  assert.deepEqual(await answers(), new Set(["two"]));
  await configuration.forget([...path, "weight"]);
  assert.deepEqual(await answers(), new Set(["one", "two"]));
  await configuration.addServer("other", serverOf([]));
  await configuration.removeServer("web");
  assert.deepEqual(await configuration.forget(["servers", "web"]), {
    forgotten: ["servers/web"],
    changes: "1 server added, 1 pool added",
  });
  assert.deepEqual(await answers(), new Set(["one", "two"]));
  assert.deepEqual(await configuration.forget([]), {
    forgotten: ["servers/other"],
    changes: "1 server removed, 1 pool removed",
  });
  assert.deepEqual(state.kept, NO_OVERLAY);
  assert.equal(await configuration.forget(["servers", "web"]), undefined);
});

Deno.test("forget() of a server that only the API has lets its sessions finish, and its backends' changes go", async () => {
  await using backend = greeter("a");
  await using balancer = await configured({ web: serverOf([]) });
  const { configuration, state } = balancer;
  await configuration.addServer("new", serverOf([backend.address]));
  await configuration.changeBackend("new", backend.address, { drain: true });
  assert.deepEqual(await configuration.forget(["servers", "new"]), {
    forgotten: ["servers/new", `pools/new/backends/${backend.address}/drain`],
    changes: "1 server removed, 1 pool removed",
  });
  assert.deepEqual(state.kept, NO_OVERLAY);
});

Deno.test("forget() changes nothing where the base's own version doesn't work", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const bind = `127.0.0.1:${taken.addr.port}`;
  const overlay: Overlay = { servers: { web: null, free: null }, backends: {} };
  await using balancer = await configured(
    { web: serverOf([], { bind }), free: serverOf([], { bind: "127.0.0.1:1" }), on: serverOf([]) },
    { overlay },
  );
  const { configuration, state } = balancer;
  await assert.rejects(configuration.forget(["servers", "web"]), {
    name: "StartError",
    message: `server "web" can't listen on ${bind}: address in use`,
  });
  await assert.rejects(configuration.forget([]), { name: "StartError" });
  assert.deepEqual(state.kept, overlay);
  assert.deepEqual([...configuration.config().servers.keys()], ["on"]);
  await configuration.addServer("thief", serverOf([], { bind: "127.0.0.2:1080" }));
  state.base = { ...state.base, free: serverOf([], { bind: "127.0.0.2:1080" }) };
  await configuration.reload();
  await assert.rejects(configuration.forget(["servers", "free"]), (error) => {
    const { problems } = error as { problems: { path: string[]; file?: string }[] };
    assert.equal(problems.length, 1);
    assert.equal(problems[0]!.path.join("."), "servers.thief.bind");
    return true;
  });
  assert.deepEqual([...configuration.config().servers.keys()], ["on", "thief"]);
});

Deno.test("a state file without memory of the base loads; conflicts are seen from then on", async () => {
  const address = "127.0.0.1:7001";
  const overlay: Overlay = {
    servers: { gone: null },
    backends: { web: { [address]: { weight: 5 } } },
  };
  const base = { web: serverOf([address]), gone: serverOf([]) };
  await using balancer = await configured(base, { overlay });
  const { configuration, state } = balancer;
  assert.deepEqual(configuration.conflicts(), []);
  state.base = {
    web: serverOf([`${address} weight=3`]),
    gone: serverOf([], { max_connections: 1 }),
  };
  const { conflicts } = await configuration.reload();
  assert.deepEqual(conflicts.map(({ at }) => at), [
    "servers/gone",
    `pools/web/backends/${address}/weight`,
  ]);
});

Deno.test("after a reload that failed, removing a server still goes by the base in force", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using balancer = await configured({ web: serverOf([]), two: serverOf([]) });
  const { configuration, state } = balancer;
  state.base = { web: serverOf([]), three: serverOf([], { bind: `127.0.0.1:${taken.addr.port}` }) };
  await assert.rejects(configuration.reload(), { name: "StartError" });
  assert.equal(await configuration.removeServer("two"), true);
  assert.deepEqual([...configuration.config().servers.keys()], ["web"]);
  assert.deepEqual(state.kept.servers, { two: null });
});

Deno.test("a server can't take the port that the system gave another one", async () => {
  await using one = greeter("one");
  await using balancer = await configured({ web: serverOf([one.address]) });
  const bind = `127.0.0.1:${balancer.port("web")}`;
  await assert.rejects(balancer.configuration.addServer("thief", serverOf([], { bind })), {
    name: "StartError",
  });
  assert.equal(await ask(balancer.port("web")), "one");
});

Deno.test("what was changed about a server's own backends goes with it", async () => {
  await using one = greeter("one");
  await using balancer = await configured({ web: serverOf([]) });
  const { configuration, state, port } = balancer;
  await configuration.addServer("new", serverOf([one.address]));
  await configuration.changeBackend("new", one.address, { drain: true });
  await configuration.removeServer("new");
  assert.deepEqual(state.kept, NO_OVERLAY);
  await configuration.addServer("new", serverOf([one.address]));
  assert.equal(await ask(port("new")), "one");
});

Deno.test("a kept server that no longer fits is blamed on the state file, not on a line of the base", async () => {
  const overlay: Overlay = { servers: { five: { bind: "nonsense" } }, backends: {} };
  await assert.rejects(configured({ web: serverOf([]) }, { overlay }), (error) => {
    const { problems } = error as { problems: { file: string; line?: number; hint: string }[] };
    assert.ok(problems.length > 0);
    for (const { file, line, hint } of problems) {
      assert.deepEqual([file, line], ["state.json", undefined]);
      assert.equal(
        hint,
        "the API has added this server: give it back with twixt overlay forget, " +
          "or mend state.json while Twixt doesn't run",
      );
    }
    return true;
  });
});

Deno.test("what is wrong with a server that is being added is said of itself, not of the state file", async () => {
  await using balancer = await configured({ web: serverOf(["127.0.0.1:1"]) });
  const bad = serverOf(["127.0.0.1:1"], { client_idle_timeout: "2" });
  await assert.rejects(balancer.configuration.addServer("new", bad), (error) => {
    assert.ok(error instanceof ConfigError);
    const [problem] = error.problems;
    assert.equal(problem!.message, '"2" is not a duration');
    assert.match(problem!.hint, /^write a number and a unit/);
    assert.equal(problem!.file, undefined);
    return true;
  });
});

Deno.test("a warning about a server that the API has added names the state file, too", async () => {
  await using balancer = await configured({ web: serverOf(["127.0.0.1:1"]) });
  const { configuration, log } = balancer;
  await configuration.addServer("new", serverOf([]));
  await configuration.reload();
  const warnings = log.lines.filter((line) => line.startsWith("warning"));
  assert.equal(warnings.length, 1);
  assert.match(
    warnings[0]!,
    /^warning state\.json: servers\.new\.discovery\.static_list: no backends/,
  );
});
