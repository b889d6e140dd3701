/** Changes through the API while traffic flows, and the commands that make them. */
import assert from "node:assert/strict";
import { ask, greeter, TcpBackend, until, writeAll } from "../support/backends.ts";
import { connect, freePort, pause } from "../support/clients.ts";
import { staticServer } from "../support/static_server.ts";
import { runTwixt, Twixt } from "../support/twixt.ts";

const timeout = 60_000;

function start(backends: readonly TcpBackend[], more: Record<string, unknown> = {}) {
  return Twixt.start({
    config: {
      workers: 2,
      api: { enabled: true, bind: "127.0.0.1:0" },
      servers: { web: staticServer(backends, more) },
    },
  });
}

async function send(twixt: Twixt, method: string, path: string, body?: unknown) {
  const { address } = await twixt.logged(({ msg }) => msg === "API listening");
  const answer = await fetch(`http://${address}${path}`, {
    method,
    headers: { "content-type": "application/json", connection: "close" },
    body: body === undefined ? null : JSON.stringify(body),
  });
  return { status: answer.status, body: await answer.json() };
}

/** What 60 clients in a row are told: enough to meet both workers. */
async function answers(port: number): Promise<Set<string>> {
  const heard = new Set<string>();
  for (let i = 0; i < 60; i++) heard.add(await ask(port));
  return heard;
}

Deno.test("a weight of 0, a drain and an enable are in force in all workers within 100 ms", {
  timeout,
}, async () => {
  await using one = greeter("one");
  await using two = greeter("two");
  await using twixt = await start([one, two], { balance: "weight" });
  const port = twixt.port("web");
  let longest = 0;
  const change = async (body: unknown, path = `/pools/web/backends/${one.address}`) => {
    const since = performance.now();
    assert.equal((await send(twixt, "PATCH", path, body)).status, 200);
    longest = Math.max(longest, performance.now() - since);
  };
  for (const wanted of [{ weight: 0 }, { drain: true }, { weight: 0, drain: "1h" }]) {
    await change(wanted);
    assert.deepEqual(await answers(port), new Set(["two"]), JSON.stringify(wanted));
    await change({ weight: null, drain: false }, `/servers/web/backends/${one.address}`);
    assert.deepEqual(await answers(port), new Set(["one", "two"]));
  }
  console.log(
    `six changes: the slowest was in force in all workers after ${Math.round(longest)} ms`,
  );
  assert(longest < 100, `${longest} ms`);
});

Deno.test(
  "a drained backend loses no request of running sessions; at the deadline the rest is cut",
  {
    timeout,
  },
  async () => {
    await using backend = new TcpBackend(async (conn) => {
      const buffer = new Uint8Array(64);
      for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
        await writeAll(conn, buffer.subarray(0, n));
      }
    });
    await using other = greeter("other");
    await using twixt = await start([backend, other], { balance: "weight" });
    const port = twixt.port("web");
    await send(twixt, "PATCH", `/pools/web/backends/${other.address}`, { drain: true });
    const sessions = await Promise.all(Array.from({ length: 20 }, () => connect(port)));
    const path = `/pools/web/backends/${backend.address}`;
    await until(() => backend.open === 20);
    await send(twixt, "PATCH", `/pools/web/backends/${other.address}`, { drain: false });
    const since = performance.now(); // the deadline counts from the order, not from its answer
    await send(twixt, "PATCH", path, { drain: "2s" });
    let exchanges = 0;
    const cut = sessions.map(async (conn) => {
      const buffer = new Uint8Array(64);
      try {
        for (;;) {
          await writeAll(conn, Uint8Array.of(1, 2, 3));
          const length = await conn.read(buffer);
          if (length === null) break;
          exchanges++;
          await pause(20);
        }
      } catch {
        // cut within an exchange: the deadline has come
      }
      conn.close();
      return performance.now() - since;
    });
    assert.equal(await ask(port), "other");
    const ends = await Promise.all(cut);
    console.log(
      `${exchanges} exchanges on draining sessions; cut after ${Math.round(Math.min(...ends))} ms`,
    );
    assert(Math.min(...ends) >= 2_000 && Math.max(...ends) < 3_000, String(ends));
    assert(exchanges > 20 * 50);
  },
);

Deno.test(
  "a server added by gobetween's request serves, survives a restart and a reload, and goes",
  {
    timeout,
  },
  async () => {
    await using backend = greeter("hello");
    const state = await Deno.makeTempFile();
    await Deno.remove(state);
    const config = {
      state_file: state,
      api: { enabled: true, bind: "127.0.0.1:0" },
      servers: { web: staticServer([backend]) },
    };
    let port: number;
    {
      await using twixt = await Twixt.start({ config });
      using free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      port = free.addr.port;
      free.close();
      const body = {
        bind: `localhost:${port}`,
        healthcheck: { kind: "ping", interval: "2s", timeout: "1s" },
        discovery: { kind: "static", static_list: [backend.address] },
      };
      assert.deepEqual(await send(twixt, "POST", "/servers/added", body), {
        status: 200,
        body: null,
      });
      assert.equal(await ask(port), "hello");
      assert.equal((await send(twixt, "POST", "/servers/added", body)).status, 409);
      const exec = {
        ...body,
        bind: "localhost:1",
        discovery: { kind: "exec", exec_command: ["/bin/sh"] },
      };
      const refused = await send(twixt, "POST", "/servers/evil", exec);
      assert.equal(refused.status, 403, JSON.stringify(refused.body));
      assert.equal((await send(twixt, "DELETE", "/servers/web")).status, 200);
      await twixt.reload(config);
      assert.equal(await ask(port), "hello");
    }
    {
      await using twixt = await Twixt.start({
        config,
        started: () => until(() => ask(port).then(() => true, () => false)),
      });
      assert.equal(await ask(port), "hello");
      assert.deepEqual(Object.keys((await send(twixt, "GET", "/servers")).body), ["added"]);
      assert.equal((await send(twixt, "DELETE", "/servers/added")).status, 200);
      await assert.rejects(ask(port));
      assert.equal((await send(twixt, "DELETE", "/servers/added")).status, 404);
    }
    await Deno.remove(state);
  },
);

Deno.test("twixt status, drain, reload and stop talk to the running one", { timeout }, async () => {
  await using one = greeter("one");
  await using twixt = await start([one]);
  const { address } = await twixt.logged(({ msg }) => msg === "API listening");
  const api = ["--api", String(address)];
  const status = await runTwixt(["status", ...api]);
  assert.equal(status.code, 0, status.err);
  assert.match(status.out, new RegExp(`web .*\\n  ${one.address} +live`));
  const drain = await runTwixt(["drain", "web", one.address, ...api]);
  assert.match(drain.out, /draining, 0 sessions open/);
  assert.match((await runTwixt(["status", ...api])).out, /draining/);
  assert.equal((await runTwixt(["drain", "web", one.address, "--undo", ...api])).code, 0);
  assert.equal(await ask(twixt.port("web")), "one");
  assert.match((await runTwixt(["reload", ...api])).out, /^reloaded: nothing changed\n$/);
  const wrong = await runTwixt(["drain", "web", "10.0.0.1:80", ...api]);
  assert.deepEqual([wrong.code, wrong.err.split("\n").length], [1, 3]);
  const stopped = await runTwixt(["stop", "-p", `${twixt.folder}/twixt.pid`]);
  assert.equal(stopped.code, 0, stopped.err);
  assert.equal(await twixt.ended(), 0);
  assert.equal((await runTwixt(["status", ...api])).code, 1);
});

Deno.test("POST /reload that moves the API, or gives it a login, is answered at once", {
  timeout,
}, async () => {
  await using one = greeter("one");
  const [first, second] = [freePort(), freePort()];
  const config = (port: number, more: Record<string, unknown> = {}) => ({
    api: { enabled: true, bind: `127.0.0.1:${port}`, ...more },
    servers: { web: staticServer([one]) },
  });
  await using twixt = await Twixt.start({ config: config(first) });
  const reload = async (port: number, to: Record<string, unknown>) => {
    await twixt.configure(to);
    const since = performance.now();
    const answer = await fetch(`http://127.0.0.1:${port}/reload`, { method: "POST" });
    assert.equal(answer.status, 200, `${await answer.text()}\n${twixt.text()}`);
    const took = performance.now() - since;
    assert(took < 1_000, `${took} ms`);
  };
  await reload(first, config(second));
  await reload(second, config(second, { basic_auth: { login: "a", password: "b" } }));
  const answer = await fetch(`http://127.0.0.1:${second}/`);
  assert.equal(answer.status, 401, await answer.text());
  await assert.rejects(fetch(`http://127.0.0.1:${first}/`));
});
