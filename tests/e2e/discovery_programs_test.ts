/** Programs that list backends: what they leave behind, and who may have them run. */
import assert from "node:assert/strict";
import { ask, greeter, until } from "../support/backends.ts";
import { ProgramSource } from "../support/local_sources.ts";
import { shell } from "../support/process.ts";
import { staticServer } from "../support/static_server.ts";
import { Twixt } from "../support/twixt.ts";

const timeout = 120_000;

function serverOf(source: ProgramSource): Record<string, unknown> {
  const discovery = { kind: "exec", interval: "200ms", timeout: "1s", ...source.options };
  return { bind: "127.0.0.1:0", discovery };
}

/** How many processes have this among their arguments. */
async function running(word: string): Promise<number> {
  const pattern = word.replace(/.$/, "[$&]"); // which doesn't match the search itself
  return Number(await shell(`grep -alz -- '${pattern}' /proc/[0-9]*/cmdline 2>/dev/null | wc -l`));
}

Deno.test("programs that hang, fork or outlive their parent leave nobody behind, nor does a stop", {
  timeout,
}, async () => {
  const word = crypto.randomUUID();
  await using backend = greeter("one");
  await using source = new ProgramSource();
  await source.say([backend.address]);
  {
    await using twixt = await Twixt.start({
      config: { workers: 1, servers: { web: serverOf(source) } },
    });
    const port = twixt.port("web");
    await until(async () => await ask(port) === "one");
    for (
      const script of [
        `sh -c 'sleep 600; : ${word}' & wait`,
        `for i in 1 2 3 4 5 6 7 8 9; do sh -c 'trap "" TERM; sleep 600; : ${word}' & done; exit 1`,
        `sh -c 'sleep 600; : ${word}' & kill -KILL $$`,
        `sh -c 'yes ${word}' & sh -c 'yes ${word}'`,
        `sh -c 'sleep 600; : ${word}' & head -c 1073741824 /dev/zero`,
        `sh -c 'sleep 600; : ${word}' & kill -SEGV $$`,
      ]
    ) {
      const seen = twixt.lines.length;
      await source.run(script);
      const logs = (msg: string) =>
        twixt.logged((line) => line.msg === msg && twixt.lines.indexOf(line) >= seen);
      await logs("discovery failed");
      assert.equal(await ask(port), "one");
      await source.say([backend.address]);
      await logs("discovery answers again");
    }
    await until(async () => await running(word) === 0, 10_000, "the end of all programs");
    await source.run(`sh -c 'sleep 600; : ${word}' & wait`);
    await until(async () => await running(word) > 0, 10_000, "a program that hangs");
    twixt.signal("SIGTERM");
    assert.equal(await twixt.ended(), 0);
  }
  assert.equal(await running(word), 0);
});

const API = { enabled: true, bind: "127.0.0.1:0" };

Deno.test("a twixt without commands can't run programs: not by a reload, not by the API", {
  timeout,
}, async () => {
  await using backend = greeter("one");
  await using source = new ProgramSource();
  await source.say([backend.address]);
  const web = staticServer([backend]);
  const list = serverOf(source);
  await using twixt = await Twixt.start({ config: { api: API, servers: { web } } });
  assert.equal(await twixt.reload({ api: API, servers: { web, list } }), false);
  await twixt.logged(({ msg }) => /sh can't be run: this process gave up running pro/.test(msg));
  await twixt.logged(({ msg }) => /needs a restart, or --takeover/.test(msg));
  assert.equal(await ask(twixt.port("web")), "one");
  assert.equal(await twixt.reload({ api: API, servers: { web } }), true);
  const refused = await twixt.api("/servers/list", "POST", list);
  assert.equal(refused.status, 403);
  assert.match((await refused.json()).error, /^"sh" with these arguments is no command of the/);
  await twixt.configure({ api: API, servers: { web, list } });
  const reload = await twixt.api("/reload", "POST");
  assert.equal(reload.status, 409);
  assert.match((await reload.json()).hint, /needs a restart, or --takeover/);
  await using next = await twixt.takeover();
  await until(async () => await ask(next.port("list")) === "one");
});

Deno.test("the API may add servers with commands of the file, or with allowed programs", {
  timeout,
}, async () => {
  await using backend = greeter("one");
  await using source = new ProgramSource();
  await source.say([backend.address]);
  const list = serverOf(source);
  const env = { kind: "exec", exec_command: ["/usr/bin/env", "echo", backend.address] };
  const other = { ...list, discovery: env };
  await using twixt = await Twixt.start({
    config: { api: API, servers: { list } },
    args: ["--allow-exec", "/usr/bin/env,/bin/nothing"],
  });
  const add = async (name: string, section: unknown) => {
    const answer = await twixt.api(`/servers/${name}`, "POST", section);
    await answer.body?.cancel();
    return answer.status;
  };
  assert.equal(await add("same", list), 200);
  assert.equal(await add("other", other), 200);
  const sneaky = { ...env, exec_command: ["sh", "-c", "id"] };
  assert.equal(await add("sneaky", { ...list, discovery: sneaky }), 403);
  const sneakyToo = { ...env, exec_command: ["/bin/../usr/bin/env", "id"] };
  assert.equal(await add("sneaky", { ...list, discovery: sneakyToo }), 403);
  await until(async () => await ask(twixt.port("same")) === "one");
  await until(async () => await ask(twixt.port("other")) === "one");
});

Deno.test("with --keep-permissions a reload may bring the first command", { timeout }, async () => {
  await using backend = greeter("one");
  await using source = new ProgramSource();
  await source.say([backend.address]);
  const web = staticServer([backend]);
  await using twixt = await Twixt.start({
    config: { servers: { web } },
    args: ["--keep-permissions"],
  });
  assert.equal(await twixt.reload({ servers: { web, list: serverOf(source) } }), true);
  await until(async () => await ask(twixt.port("list")) === "one");
});

Deno.test("what is given back to the file isn't run where the permission was given up", {
  timeout,
}, async () => {
  await using backend = greeter("one");
  await using source = new ProgramSource();
  await source.say([backend.address]);
  const list = serverOf(source);
  const servers = { web: staticServer([backend]), list };
  await using twixt = await Twixt.start({ config: { api: API, servers } });
  const removed = await twixt.api("/servers/list", "DELETE");
  assert.equal(await removed.text(), "null");
  await using second = await twixt.takeover({
    started: () => until(() => twixt.pidInFile().then((pid) => pid !== twixt.pid)),
  });
  await second.logged(({ msg }) => msg === "API listening");
  const back = await second.api("/overlay/servers/list", "DELETE");
  assert.equal(back.status, 409);
  assert.match((await back.json()).error, /^nothing was given back: sh can't be run: /);
});
