import assert from "node:assert/strict";
import { ask, greeter } from "../../support/backends.ts";
import { freePort, times } from "../../support/clients.ts";
import { program, runTwixt, Twixt } from "../../support/twixt.ts";
import { staticServer } from "../../support/static_server.ts";

const timeout = 30_000;

Deno.test("twixt with 2 workers gives each of 3 backends a third of 300 clients by roundrobin", {
  timeout,
}, async () => {
  await using red = greeter("red");
  await using green = greeter("green");
  await using blue = greeter("blue");
  const backends = [red, green, blue];
  await using twixt = await Twixt.start({
    config: { workers: 2, servers: { web: staticServer(backends) } },
  });
  const before = await twixt.descriptors();
  const heard = { red: 0, green: 0, blue: 0 };
  await times(300, 10, async () => {
    heard[await ask(twixt.port("web")) as keyof typeof heard]++;
  });
  console.log("300 clients by roundrobin:", heard);
  assert.deepEqual(heard, { red: 100, green: 100, blue: 100 });
  assert.deepEqual(backends.map(({ count }) => count), [100, 100, 100]);
  await twixt.descriptorsReturn(before);
  twixt.signal("SIGTERM");
  assert.equal(await twixt.ended(), 0);
  assert.deepEqual(twixt.err, []);
});

Deno.test("twixt proxy balances between backends named on the command line", {
  timeout,
}, async () => {
  await using red = greeter("red");
  await using green = greeter("green");
  const port = freePort();
  const [bin, ...args] = [...program(), "proxy", `127.0.0.1:${port}`, red.address, green.address];
  const child = new Deno.Command(bin!, {
    args: [...args, "--balance", "roundrobin", "--workers", "2"],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stderr = new Response(child.stderr).text();
  const stdout = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  try {
    let said = "";
    while (!said.includes("listening server=proxy")) {
      const { value, done } = await stdout.read();
      assert(!done, `it ended: ${said}${done && await stderr}`);
      said += value;
    }
    const heard = [];
    for (let i = 0; i < 4; i++) heard.push(await ask(port));
    assert.deepEqual(heard.sort(), ["green", "green", "red", "red"]);
  } finally {
    child.kill("SIGTERM");
    for (let end = false; !end;) end = (await stdout.read()).done; // to its end, so that nothing leaks
    assert.equal((await child.status).code, 0);
    assert.equal(await stderr, "");
  }
});

Deno.test("twixt check exits 0 for a good file and says what is in it", { timeout }, async () => {
  const file = await Deno.makeTempFile({ suffix: ".json" });
  try {
    const config = { servers: { web: staticServer(["127.0.0.1:1", "127.0.0.1:2"]) } };
    await Deno.writeTextFile(file, JSON.stringify(config));
    assert.deepEqual(await runTwixt(["check", file]), {
      code: 0,
      out: `${file}: ok, 1 server, 1 pool, 2 backends named\n`,
      err: "",
    });
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("twixt check exits 2 for a bad file and names every problem with its line", {
  timeout,
}, async () => {
  const file = await Deno.makeTempFile({ suffix: ".toml" });
  try {
    await Deno.writeTextFile(
      file,
      `
[servers.web]
bind = "127.0.0.1:0"
balance = "roundrobbin"
client_idle_timeout = "10 minutes"
[servers.web.discovery]
kind = "static"
static_list = ["127.0.0.1:1"]
`,
    );
    const { code, out, err } = await runTwixt(["check", file]);
    assert.equal(code, 2);
    assert.equal(out, "");
    assert(err.includes(`${file}:4: servers.web.balance: "roundrobbin" is not`), err);
    assert(err.includes('did you mean "roundrobin"?'), err);
    assert(err.includes(`${file}:5: servers.web.client_idle_timeout: "10 minutes" is not`), err);
    assert(err.includes(`${file}: 2 problems`), err);
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("twixt writes its pid file, which keeps a second one away and is removed at the end", {
  timeout,
}, async () => {
  await using red = greeter("red");
  await using twixt = await Twixt.start({ config: { servers: { web: staticServer([red]) } } });
  const pidFile = `${twixt.folder}/twixt.pid`;
  assert.equal(await Deno.readTextFile(pidFile), `${twixt.pid}\n`);
  const second = await runTwixt(["-c", twixt.file, "-p", pidFile]);
  assert.equal(second.code, 1);
  assert.match(
    second.err,
    /^error: pid file .*: process \d+ is running\n {7}stop it first, or name another .*-p; if it isn't twixt, remove the file\n$/,
  );
  assert.equal(await Deno.readTextFile(pidFile), `${twixt.pid}\n`);
  assert.equal(await ask(twixt.port("web")), "red");
  twixt.signal("SIGTERM");
  assert.equal(await twixt.ended(), 0);
  await assert.rejects(Deno.stat(pidFile), Deno.errors.NotFound);
});

Deno.test("twixt takes over a pid file whose process has ended", { timeout }, async () => {
  await using red = greeter("red");
  await using twixt = await Twixt.start({
    config: { servers: { web: staticServer([red]) } },
    wrap: "true & wait $!; echo $! > $FOLDER/twixt.pid; exec {}",
  });
  assert.equal(await Deno.readTextFile(`${twixt.folder}/twixt.pid`), `${twixt.pid}\n`);
  assert.equal(await ask(twixt.port("web")), "red");
});
