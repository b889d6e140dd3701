import assert from "node:assert/strict";
import { NO_OVERLAY, type Overlay } from "../../../lib/overlay.ts";
import { ask, greeter } from "../../support/backends.ts";
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
  for (const base of [{ web: { bind: "nonsense" } }, {}]) {
    state.base = base;
    await assert.rejects(configuration.reload(), { name: "ConfigError" });
    assert.equal(await ask(port("web")), "a");
  }
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
      assert.equal(hint, "the API has added this server; mend or move state.json");
    }
    return true;
  });
});
