/** What the API has changed beside the file: conflicts over a restart, and giving it back. */
import assert from "node:assert/strict";
import { ask, greeter, until } from "../support/backends.ts";
import { freePort } from "../support/clients.ts";
import { staticServer } from "../support/static_server.ts";
import { runTwixt, Twixt } from "../support/twixt.ts";

const timeout = 60_000;
const API = { enabled: true, bind: "127.0.0.1:0" };

// deno-lint-ignore no-explicit-any
type Answer = { readonly status: number; readonly body: any };

async function send(twixt: Twixt, method: string, path: string, body?: unknown): Promise<Answer> {
  const answer = await fetch(`http://${addressOf(twixt)}${path}`, {
    method,
    headers: { "content-type": "application/json", connection: "close" },
    body: body === undefined ? null : JSON.stringify(body),
  });
  return { status: answer.status, body: await answer.json() };
}

function addressOf(twixt: Twixt): string {
  return String(twixt.lines.findLast(({ msg }) => msg === "API listening")!.address);
}

/** A command of twixt against this one: what it prints. */
async function command(twixt: Twixt, ...args: string[]): Promise<string> {
  const { code, out, err } = await runTwixt([...args, "--api", addressOf(twixt)]);
  assert.equal(code, 0, err);
  return out;
}

/** What 60 clients in a row are told: enough to meet both workers. */
async function answers(port: number): Promise<Set<string>> {
  const heard = new Set<string>();
  for (let i = 0; i < 60; i++) heard.add(await ask(port));
  return heard;
}

Deno.test(
  "a conflict shows over a restart, in log, API and command; DELETE /overlay ends it in all workers",
  {
    timeout,
  },
  async () => {
    await using one = greeter("one");
    await using two = greeter("two");
    const state = await Deno.makeTempFile();
    await Deno.remove(state);
    const port = freePort();
    const lines = (weight: number) => [`${one.address} weight=${weight}`, two.address];
    const config = (weight: number, bind: string) => ({
      workers: 2,
      state_file: state,
      api: API,
      servers: {
        web: staticServer(lines(weight), { balance: "weight", bind: `127.0.0.1:${port}` }),
        gone: staticServer([one], { bind }),
      },
    });
    const [before, after] = [freePort(), freePort()].map((port) => `127.0.0.1:${port}`);
    {
      await using twixt = await Twixt.start({ config: config(1, before!) });
      const path = `/pools/web/backends/${one.address}`;
      assert.equal((await send(twixt, "PATCH", path, { weight: 0 })).status, 200);
      assert.equal((await send(twixt, "DELETE", "/servers/gone")).status, 200);
      assert.deepEqual((await send(twixt, "GET", "/overlay")).body.conflicts, []);
    }
    await using twixt = await Twixt.start({
      config: config(3, after!),
      started: () => until(() => ask(port).then(() => true, () => false)),
    });
    await twixt.logged(({ msg }) => msg === "API listening");
    const at = `pools/web/backends/${one.address}/weight`;
    const { conflicts } = (await send(twixt, "GET", "/overlay")).body;
    assert.deepEqual(conflicts.map((each: { at: string }) => each.at), ["servers/gone", at]);
    assert.deepEqual(conflicts[1], {
      ...{ at, overlay: 0, base: 3, before: 1 },
      hint: `DELETE /overlay/${at} gives it back to the configuration`,
    });
    const told = await twixt.loggedTimes(2, ({ msg }) => msg.startsWith("the API's change wins"));
    assert.deepEqual(told.map((line) => [line.level, line.at]), [
      ["warning", "servers/gone"],
      ["warning", at],
    ]);
    const table = await command(twixt, "overlay");
    assert.match(table, /^servers\/gone +removed\n/);
    assert.match(table, new RegExp(`\n${at} +0 +3 +1\n$`));
    assert.deepEqual(await answers(port), new Set(["two"]));
    assert.match(
      await command(twixt, "overlay", "forget", at),
      /^given back: .*weight \(nothing changed\)\n$/,
    );
    assert.deepEqual(await answers(port), new Set(["one", "two"]));
    const { status, body } = await send(twixt, "DELETE", "/overlay");
    assert.deepEqual([status, body.forgotten], [200, ["servers/gone"]]);
    assert.deepEqual(await answers(Number(after!.split(":")[1])), new Set(["one"]));
    assert.equal(await command(twixt, "overlay"), "nothing was changed beside the configuration\n");
    assert.deepEqual(JSON.parse(await Deno.readTextFile(state)).overlay, {
      servers: {},
      backends: {},
    });
    assert.equal((await send(twixt, "DELETE", "/overlay")).status, 404);
    await Deno.remove(state);
  },
);

Deno.test("what can't be given back changes nothing and says so", { timeout }, async () => {
  await using one = greeter("one");
  const bind = `127.0.0.1:${freePort()}`;
  const web = staticServer([one], { bind });
  const twice = { web: staticServer([one]), moved: web };
  await using twixt = await Twixt.start({ config: { api: API, servers: { web } } });
  assert.equal((await send(twixt, "DELETE", "/servers/web")).status, 200);
  assert.equal((await send(twixt, "POST", "/servers/moved", web)).status, 200);
  const refused = await send(twixt, "DELETE", "/overlay/servers/web");
  assert.equal(refused.status, 400);
  assert.match(refused.body.error, /^nothing was given back: /);
  assert.match(refused.body.error, /is already taken by server "web"$/);
  assert.equal(await ask(Number(bind.split(":")[1])), "one");
  assert.equal((await send(twixt, "DELETE", "/overlay/servers/moved")).status, 200);
  {
    using taken = Deno.listen({ hostname: "127.0.0.1", port: Number(bind.split(":")[1]) });
    const { status, body } = await send(twixt, "DELETE", "/overlay/servers/web");
    assert.deepEqual([status, body.error], [
      409,
      `nothing was given back: server "web" can't listen on ${bind}: address in use`,
    ]);
    taken.close();
  }
  assert.deepEqual(Object.keys((await send(twixt, "GET", "/servers")).body), []);
  assert.equal((await send(twixt, "DELETE", "/overlay/servers/web")).status, 200);
  assert.equal(await ask(Number(bind.split(":")[1])), "one");
  assert(await twixt.reload({ api: API, servers: twice }));
});

Deno.test(
  "an invalid POST /reload has all problems with their lines, changes nothing and is counted",
  {
    timeout,
  },
  async () => {
    await using one = greeter("one");
    const good = { api: API, servers: { web: staticServer([one]) } };
    await using twixt = await Twixt.start({ config: good });
    const file = `${twixt.folder}/twixt.json`;
    const wrong = staticServer([one], { bind: "nonsense", balance: "roundrobbin" });
    await Deno.writeTextFile(file, JSON.stringify({ ...good, servers: { web: wrong } }, null, 2));
    const { status, body } = await send(twixt, "POST", "/reload");
    assert.equal(status, 400);
    const problems = body.problems as { key: string; file: string; line: number; error: string }[];
    assert.deepEqual(problems.map(({ key }) => key).toSorted(), [
      "servers.web.balance",
      "servers.web.bind",
    ]);
    for (const problem of problems) {
      assert.equal(problem.file, file);
      assert.ok(problem.line > 1);
    }
    assert.equal(await ask(twixt.port("web")), "one");
    const printed = await runTwixt(["reload", "--api", addressOf(twixt)]);
    assert.equal(printed.code, 1);
    assert.match(
      printed.err,
      /twixt\.json:\d+: servers\.web\.balance: "roundrobbin" is not a strategy\n/,
    );
    assert.match(printed.err, /twixt\.json:\d+: servers\.web\.bind: /);
    assert.match(printed.err, /\n +nothing has been changed\n$/);
    twixt.signal("SIGHUP");
    await twixt.logged(({ msg, order }) =>
      msg.startsWith("the new configuration isn't used") && order === "signal"
    );
    const failed = (await send(twixt, "GET", "/reload")).body;
    assert.deepEqual([failed.applied, failed.failed, failed.last.order], [0, 3, "signal"]);
    assert.equal(failed.last.errors.length, 2);
    await twixt.configure({
      ...good,
      servers: { web: staticServer([]), new: staticServer([one]) },
    });
    assert.equal(
      await command(twixt, "reload"),
      "reloaded: 1 server added, 1 pool added, 1 pool changed\n" +
        "  servers added  new\n  pools added    new\n  pools changed  web\n",
    );
    const { applied, last } = (await send(twixt, "GET", "/reload")).body;
    assert.deepEqual([applied, last.order, last.servers.added], [1, "api", ["new"]]);
    const line = await twixt.logged(({ servers_added }) => servers_added !== undefined);
    assert.deepEqual([line.msg.startsWith("reloaded: "), line.order], [true, "api"]);
    assert.deepEqual([line.servers_added, line.pools_changed], [["new"], ["web"]]);
  },
);

Deno.test(
  "twixt overlay forget asks what, and says what there is instead",
  { timeout },
  async () => {
    await using one = greeter("one");
    await using twixt = await Twixt.start({
      config: { api: API, servers: { web: staticServer([one]) } },
    });
    const api = ["--api", addressOf(twixt)];
    const nothing = await runTwixt(["overlay", "forget", ...api]);
    assert.deepEqual([nothing.code, nothing.err.split("\n")[0]], [
      2,
      "error: what shall be forgotten?",
    ]);
    const added = { ...staticServer([one]), bind: "127.0.0.1:0" };
    assert.equal((await send(twixt, "POST", "/servers/a%20b", added)).status, 200);
    assert.match(
      await command(twixt, "overlay"),
      /^servers\/a%20b +added with bind 127\.0\.0\.1:0\n/,
    );
    const close = await runTwixt(["overlay", "forget", "servers/a%20c", ...api]);
    assert.equal(close.code, 1);
    assert.match(
      close.err,
      /the overlay has nothing at "servers\/a%20c"\n +did you mean "servers\/a%20b"\?\n/,
    );
    assert.equal(
      await command(twixt, "overlay", "forget", "--all"),
      "given back: servers/a%20b (1 server removed, 1 pool removed)\n",
    );
  },
);
