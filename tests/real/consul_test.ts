/** Configurations from a real Consul that comes, goes, hangs and holds whatever somebody has put there. */
import assert from "node:assert/strict";
import { ask, greeter, type TcpBackend, until } from "../support/backends.ts";
import { freePort, Load } from "../support/clients.ts";
import { runToEnd } from "../support/process.ts";
import { needs } from "../support/real.ts";
import { staticServer } from "../support/static_server.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import { Twixt } from "../support/twixt.ts";
import { Consul } from "./_consul.ts";

const options = { ...needs(["consul", "setpriv"]), timeout: 120_000 };
const LAST_GOOD = /LAST GOOD CONFIGURATION/;

/** The text of a configuration whose server leads to one backend. */
function configOf(backend: TcpBackend, port: number): string {
  return JSON.stringify({
    workers: 1,
    logging: { level: "info", format: "json" },
    servers: { web: staticServer([backend], { bind: `127.0.0.1:${port}` }) },
  });
}

function start(port: number, args: readonly string[], env: Record<string, string> = {}) {
  const served = () => ask(port).then((said) => said !== "", () => false);
  return Twixt.start({
    ...{ config: {}, env },
    args: ["from-consul", ...args],
    started: () => until(served, 50_000, "the first client"),
  });
}

/** Resolves when the server on a port leads to the backend of that name. */
function serves(port: number, name: string, withinMs: number): Promise<void> {
  return until(async () => await ask(port) === name, withinMs, `the configuration with ${name}`);
}

/** Resolves with the first log line from now on that `matches`. */
async function next(twixt: Twixt, matches: RegExp, act: () => Promise<unknown>) {
  const seen = twixt.lines.length;
  await act();
  return await twixt.logged(
    (line) => matches.test(`${line.msg} ${line.why ?? ""}`) && twixt.lines.indexOf(line) >= seen,
    60_000,
  );
}

Deno.test("consul: two instances follow one key within a second", options, async () => {
  await using stack = new AsyncDisposableStack();
  const backends = ["one", "two", "three"].map((name) => stack.use(greeter(name)));
  const consul = stack.use(await Consul.start());
  // the same text for both: each has a port of its own from its environment
  const ports = [freePort(), freePort()];
  const texts = backends.map((backend) => configOf(backend, 1).replace(':1"', ':${WEB_PORT}"'));
  await consul.put("lb/twixt.json", texts[0]!);
  const instances = await Promise.all(ports.map(async (port) =>
    stack.use(
      await start(port, [consul.address, "-k", "lb/twixt.json", "-e"], { WEB_PORT: String(port) }),
    )
  ));
  await using load = new Load(4, async () => assert.notEqual(await ask(ports[0]!), ""), 5);
  let slowest = 0;
  for (const [index, name] of [[1, "two"], [2, "three"], [0, "one"]] as const) {
    const since = performance.now();
    await consul.put("lb/twixt.json", texts[index]!);
    await Promise.all(ports.map((port) => serves(port, name, 3_000)));
    slowest = Math.max(slowest, performance.now() - since);
  }
  console.log(`three changes: the slowest was in force in both after ${Math.round(slowest)} ms`);
  assert(slowest < 1_000, `${slowest} ms`);
  await load.stop();
  assert.deepEqual(load.failures, []);
  for (const twixt of instances) {
    await twixt.loggedTimes(3, ({ msg }) => msg.startsWith("reloaded"));
  }
});

Deno.test(
  "consul: the last good configuration holds while it is garbage, empty, gone, killed and hung",
  options,
  async () => {
    await using stack = new AsyncDisposableStack();
    const [one, two, three] = ["one", "two", "three"].map((name) => stack.use(greeter(name)));
    const { path } = stack.use(new TemporaryFolder());
    const port = freePort();
    const fallback = `${path}/last`;
    const text = configOf(one!, port);
    const consul = stack.use(await Consul.start());
    await consul.put("gobetween", text);
    const args = [consul.address, "-f", "json", "--fallback", fallback];
    const twixt = stack.use(await start(port, args));
    await using load = new Load(
      4,
      async () => assert.match(await ask(port), /^(one|two|three)$/),
      5,
    );
    const holds = async (matches: RegExp, act: () => Promise<unknown>) => {
      const { level } = await next(twixt, matches, act);
      assert.equal(level, "error");
      assert.equal(await ask(port), "one");
      assert.equal(await Deno.readTextFile(fallback), text);
    };
    await holds(/not JSON/, () => consul.put("gobetween", "garbage"));
    await holds(
      /servers\.web\.bind: /,
      () => consul.put("gobetween", text.replace(":" + port, "")),
    );
    await holds(/it is empty/, () => consul.put("gobetween", ""));
    await holds(/there is no such key/, () => consul.remove("gobetween"));
    await consul.put("gobetween", text);
    await next(twixt, /can be read again/, () => Promise.resolve());

    await holds(/Consul at .*: connection/, () => consul.kill());
    await consul.restart(); // and has forgotten everything: its index starts anew
    await consul.put("gobetween", configOf(two!, port));
    await serves(port, "two", 15_000);

    consul.signal("SIGSTOP");
    for (let i = 0; i < 100; i++) assert.equal(await ask(port), "two");
    twixt.signal("SIGHUP"); // a reload is told that nobody answers, and changes nothing
    await next(twixt, /no answer within 10 s/, () => Promise.resolve());
    assert.equal(await ask(port), "two");
    consul.signal("SIGCONT");
    await consul.put("gobetween", configOf(three!, port));
    await serves(port, "three", 15_000);
    await load.stop();
    assert.deepEqual(load.failures, []);
    assert(load.served > 500, `${load.served} clients`);
  },
);

Deno.test(
  "consul: down at the start, twixt goes on with the fallback, and follows once it is up",
  options,
  async () => {
    await using stack = new AsyncDisposableStack();
    const [one, two] = ["one", "two"].map((name) => stack.use(greeter(name)));
    const { path } = stack.use(new TemporaryFolder());
    const port = freePort();
    const fallback = `${path}/last`;
    await Deno.writeTextFile(fallback, configOf(one!, port));
    const consul = stack.use(await Consul.start());
    await consul.kill();
    const { address } = consul;
    const without = runToEnd(["from-consul", address, "-f", "json"]);
    const twixt = stack.use(await start(port, [address, "-f", "json", "--fallback", fallback]));
    assert.equal(await ask(port), "one");
    await twixt.logged(({ level, msg }) => level === "warning" && LAST_GOOD.test(msg));
    await until(() => LAST_GOOD.test(twixt.err.at(-1) ?? ""));
    const { code, err } = await without;
    assert.equal(code, 1);
    assert.match(
      err,
      /^error: key "gobetween" of Consul at \S+: connection refused\n {7}.*--fallback/m,
    );

    await consul.restart();
    await consul.put("gobetween", configOf(two!, port));
    await serves(port, "two", 15_000);
    const kept = async () => await Deno.readTextFile(fallback) === configOf(two!, port);
    await until(kept, 5_000, "the new fallback");
  },
);

Deno.test(
  "consul: with ACLs on it takes a token, and says what is missing without one",
  options,
  async () => {
    await using stack = new AsyncDisposableStack();
    const backend = stack.use(greeter("one"));
    const { path } = stack.use(new TemporaryFolder());
    const port = freePort();
    const consul = stack.use(await Consul.start({ acls: true }));
    await consul.put("gobetween", configOf(backend, port));
    await consul.put("other", "x");
    const token = await consul.tokenFor("gobetween");
    await Deno.writeTextFile(`${path}/token`, `${token}\n`);
    const args = [consul.address, "-f", "json"];
    {
      await using _twixt = await start(port, args, { CONSUL_HTTP_TOKEN: token });
      assert.equal(await ask(port), "one");
    }
    const twixt = stack.use(await start(port, args, { CONSUL_HTTP_TOKEN_FILE: `${path}/token` }));
    assert.doesNotMatch(twixt.text() + twixt.err.join(), new RegExp(token));
    const said = await next(twixt, /its ACLs/, async () => {
      await Deno.writeTextFile(`${path}/token`, "another");
      await consul.put("gobetween", configOf(backend, port) + " ");
    });
    assert.match(
      String(said.why),
      /its ACLs don't let this token read it: ACL not found; give a token/,
    );
    assert.equal(await ask(port), "one");
    const refused = runToEnd(["from-consul", ...args, "-k", "other"]);
    const { code, err } = await refused;
    assert.equal(code, 1);
    assert.match(
      err,
      /ACLs don't let anybody without a token read it: Permission denied\n {7}give a/,
    );
  },
);
