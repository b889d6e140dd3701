/** Configuration files that change by themselves: --watch, include. */
import assert from "node:assert/strict";
import { ask, greeter, type TcpBackend, until } from "../support/backends.ts";
import { freePort, Load } from "../support/clients.ts";
import { staticServer } from "../support/static_server.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import { runTwixt, shell, Twixt } from "../support/twixt.ts";

const timeout = 60_000;

function configOf(backend: TcpBackend, port: number, more: Record<string, unknown> = {}): string {
  const web = staticServer([backend], { bind: `127.0.0.1:${port}` });
  const logging = { level: "info", format: "json" };
  return JSON.stringify({ workers: 1, logging, servers: { web }, ...more });
}

function start(file: string, port: number) {
  const served = () => ask(port).then((said) => said !== "", () => false);
  const args = ["from-file", file, "--watch"];
  return Twixt.start({ config: {}, args, started: () => until(served, 20_000, "a client") });
}

Deno.test(
  "--watch follows a ConfigMap, a rename, a file that is gone for a while; garbage changes nothing",
  {
    timeout,
  },
  async () => {
    await using names = new AsyncDisposableStack();
    const backends = ["one", "two", "three", "four"].map((name) => names.use(greeter(name)));
    const port = freePort();
    const texts = backends.map((backend) => configOf(backend, port));
    await using folder = new TemporaryFolder();
    const { path } = folder;
    for (const index of [0, 1]) {
      await Deno.mkdir(`${path}/..${index}`);
      await Deno.writeTextFile(`${path}/..${index}/twixt.json`, texts[index]!);
    }
    await Deno.symlink("..0", `${path}/..data`);
    await Deno.symlink("..data/twixt.json", `${path}/twixt.json`);
    await using twixt = await start(`${path}/twixt.json`, port);
    await using load = new Load(2, async () => assert.notEqual(await ask(port), ""), 5);
    const serves = (name: string) =>
      until(async () => await ask(port) === name, 5_000, `the configuration with ${name}`);
    await serves("one");

    await Deno.symlink("..1", `${path}/..new`);
    await Deno.rename(`${path}/..new`, `${path}/..data`);
    await serves("two");

    await Deno.writeTextFile(`${path}/new`, texts[2]!);
    await Deno.rename(`${path}/new`, `${path}/twixt.json`);
    await serves("three");

    await Deno.remove(`${path}/twixt.json`);
    const { level, why } = await twixt.logged(({ msg }) => msg.includes("source can't be read"));
    assert.equal(level, "error");
    assert.match(String(why), /does not exist; check the path/);
    await Deno.writeTextFile(`${path}/twixt.json`, "{garbage");
    await twixt.logged(({ msg }) => msg.includes("the new configuration isn't used"));
    assert.equal(await ask(port), "three");
    await Deno.writeTextFile(`${path}/twixt.json`, texts[3]!);
    await serves("four");
    await load.stop();
    assert.deepEqual(load.failures, []);
    await twixt.loggedTimes(3, ({ msg }) => msg.startsWith("reloaded"));
  },
);

Deno.test("--watch follows included files that change, come and go; check names them", {
  timeout,
}, async () => {
  await using one = greeter("one");
  await using two = greeter("two");
  const [port, other] = [freePort(), freePort()];
  await using folder = new TemporaryFolder();
  const { path } = folder;
  const file = `${path}/twixt.json`;
  await Deno.mkdir(`${path}/conf.d`);
  await Deno.writeTextFile(file, configOf(one, port, { include: ["conf.d/*.toml"] }));
  await using _twixt = await start(file, port);
  const extra = (backend: TcpBackend) =>
    `[servers.extra]\nbind = "127.0.0.1:${other}"\n[servers.extra.discovery]\n` +
    `kind = "static"\nstatic_list = ["${backend.address}"]\n`;
  const serves = (name: string | undefined) =>
    until(async () => await ask(other).catch(() => undefined) === name, 5_000, `${name}`);
  await Deno.writeTextFile(`${path}/conf.d/extra.toml`, extra(one));
  await serves("one");
  await Deno.writeTextFile(`${path}/conf.d/extra.toml`, extra(two));
  await serves("two");
  const good = await runTwixt(["check", file]);
  assert.equal(good.out, `${file}: ok, 2 servers, 2 pools, 2 backends named\n`);
  await Deno.writeTextFile(`${path}/conf.d/more.toml`, "\n" + extra(one));
  const bad = await runTwixt(["check", file]);
  assert.equal(bad.code, 2);
  const [more, first] = ["more", "extra"].map((name) => `${path}/conf.d/${name}.toml`);
  assert(bad.err.startsWith(`${more}:2: servers.extra: is in ${first}, too\n`), bad.err);
  await Deno.remove(`${path}/conf.d/more.toml`);
  await Deno.remove(`${path}/conf.d/extra.toml`);
  await serves(undefined);
});

Deno.test("a file that became a pipe, by a reload or while it is watched, holds up nobody", {
  timeout,
}, async () => {
  await using backend = greeter("one");
  const port = freePort();
  await using folder = new TemporaryFolder();
  const file = `${folder.path}/twixt.json`;
  await Deno.writeTextFile(file, configOf(backend, port));
  await using twixt = await start(file, port);
  await Deno.remove(file);
  await shell(`mkfifo ${file}`);
  twixt.signal("SIGHUP");
  await twixt.logged(({ msg }) => msg.startsWith(`${file} is no plain file; `)); // the reload
  await twixt.logged(({ why }) => String(why).startsWith(`${file} is no plain file`)); // who watches
  assert.equal(await ask(port), "one");
  const since = performance.now();
  twixt.signal("SIGTERM");
  assert.equal(await twixt.ended(), 0);
  assert(performance.now() - since < 2_000);
});
