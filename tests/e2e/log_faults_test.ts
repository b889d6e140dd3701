/** A log that can't be written costs lines, which are counted, and nothing else. */
import assert from "node:assert/strict";
import { ask, greeter, type TcpBackend, until } from "../support/backends.ts";
import { freePort, Load, pause } from "../support/clients.ts";
import { hasMounts, hasProc } from "../support/host.ts";
import { staticServer } from "../support/static_server.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import { shell, Twixt } from "../support/twixt.ts";

const timeout = 60_000;

/** A server whose every second dial fails, which is worth a line each. */
function configOf(
  good: TcpBackend,
  port: number,
  logging: Record<string, string> = {},
): Record<string, unknown> {
  const dead = `127.0.0.1:${freePort()}`;
  return {
    workers: 2,
    logging: { level: "info", format: "json", ...logging },
    servers: { web: staticServer([dead, good], { bind: `127.0.0.1:${port}` }) },
  };
}

/** Resolves when somebody listens. */
function listens(port: number): () => Promise<void> {
  const asked = () => ask(port).then((text) => text === "red", () => false);
  return () => until(asked, 15_000, "the start");
}

/** Clients one after another; each must be served, and soon. */
function clients(port: number): Load {
  return new Load(4, async () => {
    const since = performance.now();
    assert.equal(await ask(port), "red");
    assert(performance.now() - since < 1_000, "it took too long");
  }, 5);
}

/** What lines tell of lost ones. */
function lost(text: string): number {
  return text.split("\n").filter((line) => line.includes("log lines were lost"))
    .map((line) => Number(/"dropped":(\d+)/.exec(line)?.[1])).reduce((sum, n) => sum + n, 0);
}

Deno.test("traffic goes on while the log's disk is full, and the lost lines are counted", {
  ignore: !hasMounts,
  timeout,
}, async () => {
  await using red = greeter("red");
  const port = freePort();
  const disk = await Deno.makeTempDir(); // the program's own mount hides it
  try {
    await using twixt = await Twixt.start({
      config: configOf(red, port, { output: `${disk}/twixt.log` }),
      wrap: `exec unshare -m sh -c 'mount -t tmpfs -o size=64k tmpfs ${disk} && exec "$@"' - {}`,
      started: listens(port),
    });
    const before = await twixt.descriptors();
    const inside = `/proc/${twixt.pid}/root${disk}`;
    await using load = clients(port);
    await shell(`dd if=/dev/zero of=${inside}/fill bs=4k`);
    assert.equal(await shell(`stat -f -c %a ${inside}`), "0");
    const full = load.served;
    await pause(4_000);
    assert(load.served > full + 500, "there was hardly any load");
    await shell(`rm ${inside}/fill`);
    const log = () => shell(`cat ${inside}/twixt.log`);
    await until(async () => lost(await log()) > 0, 10_000, "a line about lost ones");
    await load.stop();
    console.log(`disk full: ${load.served} clients served, ${lost(await log())} lines lost`);
    assert(lost(await log()) > 50, "more must have been lost");
    assert.deepEqual(load.failures, []);
    // a line may be cut where the disk was full; the next one must not be glued to it
    const glued = (await log()).split("\n").filter((line) => line.split('{"level"').length > 2);
    assert.deepEqual(glued, []);
    assert.deepEqual([...twixt.err, ...twixt.lines], []);
    await twixt.descriptorsReturn(before);
  } finally {
    await Deno.remove(disk, { recursive: true });
  }
});

Deno.test("traffic goes on while nobody reads the log, and the lost lines are counted", {
  ignore: !hasProc,
  timeout,
}, async () => {
  await using red = greeter("red");
  const port = freePort();
  await using twixt = await Twixt.start({
    config: configOf(red, port),
    wrap: `{} | sh -c 'echo $$ > $FOLDER/reader; exec cat > $FOLDER/log'`,
    started: listens(port),
  });
  const before = await twixt.descriptors();
  const reader = Number(await Deno.readTextFile(`${twixt.folder}/reader`));
  const log = () => Deno.readTextFile(`${twixt.folder}/log`);
  await until(async () => (await log()).includes("listening"));
  await using load = clients(port);
  Deno.kill(reader, "SIGSTOP");
  try {
    // a reload that finds 3,000 problems has 2 MB to say
    const keys = Array.from({ length: 3_000 }, (_, i) => [`${"x".repeat(300)}${i}`, 1]);
    await Deno.writeTextFile(twixt.file, JSON.stringify(Object.fromEntries(keys)));
    const quiet = load.served;
    twixt.signal("SIGHUP");
    await until(() => load.served > quiet + 1_000);
  } finally {
    Deno.kill(reader, "SIGCONT");
  }
  await until(async () => lost(await log()) > 0, 10_000, "a line about lost ones");
  await load.stop();
  console.log(`reader stopped: ${load.served} clients served, ${lost(await log())} lines lost`);
  assert.deepEqual(load.failures, []);
  assert.deepEqual(twixt.err, []);
  await twixt.descriptorsReturn(before);
});

Deno.test("a log that is a pipe holds up nobody before its reader comes, or when it has gone", {
  ignore: !hasProc,
  timeout,
}, async () => {
  await using red = greeter("red");
  const port = freePort();
  await using folder = new TemporaryFolder();
  const pipe = `${folder.path}/log`;
  await shell(`mkfifo ${pipe}`);
  await using twixt = await Twixt.start({
    config: configOf(red, port, { output: pipe }),
    started: listens(port),
  });
  const before = await twixt.descriptors();
  const serves = async () => {
    await using load = clients(port);
    await until(() => load.served > 500);
    await load.stop();
    assert.deepEqual(load.failures, []);
  };
  await serves();
  assert.match(await shell(`timeout 1 cat ${pipe}; true`), /"msg":"listening"/);
  await serves();
  twixt.signal("SIGHUP"); // the control plane answers, and opens the log anew
  assert.match(await shell(`timeout 2 cat ${pipe}; true`), /"msg":"reloaded/);
  await twixt.descriptorsReturn(before);
  twixt.signal("SIGTERM");
  assert.equal(await twixt.ended(), 0);
});

for (
  const { what, wrap } of [
    { what: "standard output is closed", wrap: "exec {} >&-" },
    { what: "both standard outputs are closed", wrap: "exec {} >&- 2>&-" },
    { what: "the reader of standard output has gone", wrap: "{} | true" },
  ]
) {
  Deno.test(`traffic and reloads go on when ${what}`, { ignore: !hasProc, timeout }, async () => {
    await using red = greeter("red");
    await using other = greeter("other");
    const port = freePort();
    await using twixt = await Twixt.start({
      config: configOf(red, port),
      wrap,
      started: listens(port),
    });
    const before = await twixt.descriptors();
    await using load = clients(port);
    await until(() => load.served > 500);
    await load.stop();
    assert.deepEqual(load.failures, []);
    await twixt.configure(configOf(other, port));
    twixt.signal("SIGHUP");
    await until(async () => await ask(port) === "other");
    assert.deepEqual(twixt.err, []);
    await twixt.descriptorsReturn(before);
    const pidFile = `${twixt.folder}/twixt.pid`;
    twixt.signal("SIGTERM");
    await twixt.ended();
    await assert.rejects(Deno.stat(pidFile), Deno.errors.NotFound);
  });
}
