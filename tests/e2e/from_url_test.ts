/** A configuration from a web server that does whatever web servers do. */
import assert from "node:assert/strict";
import { ask, greeter, type TcpBackend, until } from "../support/backends.ts";
import { pem } from "../support/api.ts";
import { freePort, Load } from "../support/clients.ts";
import { fromFileUrl } from "../support/paths.ts";
import { runToEnd } from "../support/process.ts";
import { staticServer } from "../support/static_server.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import { runTwixt, Twixt } from "../support/twixt.ts";
import { Hang, WebServer } from "../support/web_server.ts";

const timeout = 60_000;
const LAST_GOOD = /LAST GOOD CONFIGURATION/;

/** The text of a configuration whose server leads to one backend. */
function configOf(backend: TcpBackend, port: number): string {
  const web = staticServer([backend], { bind: `127.0.0.1:${port}` });
  return JSON.stringify({
    ...{ workers: 1, logging: { level: "info", format: "json" }, servers: { web } },
  });
}

function start(args: readonly string[], port: number, env: Record<string, string> = {}) {
  const served = () => ask(port).then((said) => said !== "", () => false);
  return Twixt.start({ config: {}, args, env, started: () => until(served, 40_000, "a client") });
}

Deno.test(
  "twixt follows a URL; whatever the server does, clients are served with what was good last",
  {
    timeout,
  },
  async () => {
    await using one = greeter("one");
    await using two = greeter("two");
    const port = freePort();
    const page = { text: configOf(one, port), etag: '"1"' };
    let unchanged = 0;
    const good = (request: Request) => {
      const headers = { etag: page.etag, "content-type": "application/json" };
      const same = request.headers.get("if-none-match") === page.etag;
      if (same) unchanged++;
      return new Response(same ? null : page.text, { status: same ? 304 : 200, headers });
    };
    await using server = new WebServer(good);
    const url = `http://me:secret@${server.address}/twixt`;
    await using folder = new TemporaryFolder();
    const fallback = `${folder.path}/last`;
    const args = ["from-url", url, "--interval", "200ms", "--fallback", fallback];
    await using twixt = await start(args, port);
    const kept = async () => await Deno.readTextFile(fallback).catch(() => "") === page.text;
    await until(kept, 5_000, "the first fallback");
    await until(() => unchanged >= 3, 10_000, "being asked three times");
    assert.doesNotMatch(twixt.text(), /reloaded/);
    await using load = new Load(4, async () => assert.match(await ask(port), /^(one|two)$/), 5);

    const failing = async (what: RegExp, answer: WebServer["answer"]) => {
      const seen = twixt.lines.length;
      server.answer = answer;
      const told = await twixt.logged((line) =>
        what.test(`${line.msg} ${line.why ?? ""}`) && twixt.lines.indexOf(line) >= seen
      );
      assert.equal(told.level, "error");
      assert.equal(await ask(port), "one");
    };
    await failing(/answers with status 500/, () => new Response("", { status: 500 }));
    await failing(/status 403/, () => new Response("", { status: 403 }));
    await failing(/not UTF-8/, () => new Response(new Uint8Array([0xff, 0xff])));
    await failing(
      /:1: not JSON/,
      () => new Response("<html>", { headers: { "content-type": "application/json" } }),
    );
    await failing(/nothing to do/, () => new Response(""));
    assert(await kept(), "only what is in force is kept");

    Object.assign(page, { text: configOf(two, port), etag: '"2"' });
    server.answer = good;
    await until(async () => await ask(port) === "two", 10_000, "the new configuration");
    await until(kept, 5_000, "the second fallback");
    await load.stop();
    assert.deepEqual(load.failures, []);
    assert(load.served > 100, `${load.served} clients`);
    assert.doesNotMatch(twixt.text() + twixt.err.join("\n"), /secret/);
  },
);

Deno.test("twixt waits for a URL at the start, and goes on with the fallback when it hangs", {
  timeout,
}, async () => {
  await using backend = greeter("last");
  const port = freePort();
  await using folder = new TemporaryFolder();
  const fallback = `${folder.path}/last.toml`;
  await Deno.writeTextFile(fallback, configOf(backend, port));
  const hang = new Hang();
  await using server = new WebServer(hang.answer);
  const url = `http://${server.address}/twixt.json`;
  await using twixt = await start(["from-url", url, "--fallback", fallback], port);
  assert.match(twixt.err[0]!, /no answer within 10 s; trying again for \d+ s$/);
  await until(() => LAST_GOOD.test(twixt.err.at(-1) ?? ""));
  await twixt.logged(({ level, msg }) => level === "warning" && LAST_GOOD.test(msg));
  hang.end();
});

Deno.test(
  "twixt starts with the fallback at once when the URL holds garbage, and exits 2 without one",
  {
    timeout,
  },
  async () => {
    await using backend = greeter("last");
    const port = freePort();
    await using folder = new TemporaryFolder();
    const fallback = `${folder.path}/last.toml`;
    await using server = new WebServer(() => new Response("[garbage"));
    const url = `http://${server.address}/twixt.toml`;
    for (const more of [[], ["--fallback", fallback]]) {
      const { code, err } = await runTwixt(["from-url", url, ...more]);
      assert.equal(code, 2);
      assert.match(err, /twixt\.toml:1: /);
    }
    await Deno.writeTextFile(fallback, configOf(backend, port));
    await using _twixt = await start(["from-url", url, "--fallback", fallback], port);
    assert.equal(await ask(port), "last");
  },
);

Deno.test("twixt exits 1 after 30 s when nobody answers and there is no fallback", {
  timeout,
}, async () => {
  const since = performance.now();
  const { code, err } = await runToEnd(["from-url", `http://127.0.0.1:${freePort()}/`]);
  assert(performance.now() - since > 29_000);
  assert.equal(code, 1);
  assert.match(err, /^warning: \S+: connection refused; trying again for 30 s$/m);
  assert.match(err, /^error: \S+: connection refused\n {7}is the address right.*--fallback FILE/m);
});

Deno.test("an order to stop ends the wait for a URL at once", { timeout }, async () => {
  const url = `http://127.0.0.1:${freePort()}/`;
  const since = performance.now();
  const { code } = await runTwixt(["from-url", url], { wrap: "timeout --preserve-status 3 {}" });
  assert.equal(code, 0);
  assert(performance.now() - since < 10_000);
});

Deno.test(
  "twixt takes a URL of https with an authority of its own, and variables of the environment",
  {
    timeout,
  },
  async () => {
    await using backend = greeter("one");
    const port = freePort();
    const text = configOf(backend, port).replace(`:${port}"`, ':${WEB_PORT}"');
    const tls = { cert: await pem("cert"), key: await pem("key") };
    await using server = new WebServer(() => new Response(text), tls);
    const ca = fromFileUrl(new URL("../fixtures/api/ca.pem", import.meta.url));
    await using folder = new TemporaryFolder();
    const fallback = `${folder.path}/last`;
    const url = `https://${server.address}/twixt.json`;
    const args = ["from-url", url, "--ca", ca, "-e", "--fallback", fallback];
    await using twixt = await start(args, port, { WEB_PORT: String(port) });
    assert.equal(await ask(port), "one");
    const kept = async () => await Deno.readTextFile(fallback).catch(() => "") === text;
    await until(kept, 5_000, "the text to be kept as it was written");
    const seen = twixt.lines.length;
    twixt.signal("SIGHUP");
    await twixt.logged((line) => /^reloaded/.test(line.msg) && twixt.lines.indexOf(line) >= seen);
  },
);

Deno.test("twixt asks the proxy that the environment names", { timeout }, async () => {
  await using backend = greeter("one");
  const port = freePort();
  await using proxy = new WebServer(() => new Response(configOf(backend, port)));
  const env = { http_proxy: `http://${proxy.address}` };
  await using _twixt = await start(["from-url", "http://config.invalid/twixt.json"], port, env);
  assert.equal(await ask(port), "one");
  assert.equal(proxy.requests[0]!.url, "http://config.invalid/twixt.json");
});
