/** What a service manager is told, over the whole life of the program. */
import assert from "node:assert/strict";
import { ask, echo, greeter, writeAll } from "../../support/backends.ts";
import { connect, freePort, untilEnd } from "../../support/clients.ts";
import { NotifyReceiver } from "../../support/notify_receiver.ts";
import { staticServer } from "../../support/static_server.ts";
import { TemporaryFolder } from "../../support/temporary_folder.ts";
import { program, Twixt } from "../../support/twixt.ts";

const timeout = 30_000;

Deno.test("a service manager is told of the start, each reload, the stop and what is left open", {
  timeout,
}, async () => {
  await using backend = echo();
  await using folder = new TemporaryFolder();
  await using manager = await NotifyReceiver.listen(`${folder.path}/socket`);
  const web = { web: staticServer([backend]) };
  await using twixt = await Twixt.start({
    config: { workers: 2, servers: web },
    env: { NOTIFY_SOCKET: manager.address },
  });
  const MAINPID = String(twixt.pid);
  const ready = { READY: "1", MAINPID, STATUS: "serving: servers 1, workers 2" };
  const first = await manager.hear({ READY: "1" });
  assert.deepEqual(first.fields, ready);

  assert.equal(await twixt.reload({ servers: { ...web, more: staticServer([backend]) } }), true);
  await manager.hear({ READY: "1" }, { from: 1 });
  assert.equal(await twixt.reload("{"), false);
  await manager.hear({ READY: "1" }, { from: 3 });
  const [, one, more, two, same] = manager.fields();
  assert.deepEqual([one?.RELOADING, two?.RELOADING], ["1", "1"]);
  assert(Number(one!.MONOTONIC_USEC) >= first.usec, "a reload began before the start ended");
  assert.deepEqual(more, { ...ready, STATUS: "serving: servers 2, workers 2" });
  assert.deepEqual(same, more);

  using conn = await connect(twixt.port("web"));
  await writeAll(conn, Uint8Array.of(1));
  assert.equal(await conn.read(new Uint8Array(8)), 1);
  twixt.signal("SIGTERM");
  const { fields } = await manager.hear({ STOPPING: "1" }, { from: 5 });
  assert.equal(fields.STATUS, "stopping: 1 session open, 30 s left");
  await manager.hear({ STATUS: /^stopping: 1 session open, \d+ s left$/ }, { from: 6 });
  const line = await twixt.logged(({ msg }) => msg === "stopping");
  assert.equal(line.open, 1);
  assert(Number(line.left_ms) > 20_000 && Number(line.left_ms) <= 29_000, `${line.left_ms}`);
  await conn.closeWrite();
  assert.deepEqual(await untilEnd(conn), { end: "fin", bytes: 0 });
  assert.equal(await twixt.ended(), 0);
  assert.deepEqual([...new Set(manager.heard.map(({ pid }) => pid))], [twixt.pid]);
});

Deno.test("a service manager hears signs of life, and none while a worker hangs", {
  timeout,
}, async () => {
  await using red = greeter("red");
  await using folder = new TemporaryFolder();
  await using manager = await NotifyReceiver.listen(`${folder.path}/socket`);
  await using twixt = await Twixt.start({
    config: { workers: 2, watchdog: "4s", servers: { web: staticServer([red]) } },
    env: {
      TWIXT_TEST_FAULT: "hang",
      NOTIFY_SOCKET: manager.address,
      WATCHDOG_USEC: "2000000",
    },
  });
  const signs = () => manager.heard.filter(({ fields }) => fields.WATCHDOG === "1");
  await manager.hear({ WATCHDOG: "1" });
  await manager.hear({ WATCHDOG: "1" }, { from: manager.heard.length });
  await manager.hear({ WATCHDOG: "1" }, { from: manager.heard.length });
  const usual = signs().map(({ usec }) => usec);
  const gaps = usual.slice(1).map((usec, i) => (usec - usual[i]!) / 1_000);
  assert(Math.max(...gaps) < 2_000, `the manager would have ended it: ${gaps} ms`);
  assert.equal(await ask(twixt.port("web")), "red");
  const since = performance.now();
  twixt.signal("SIGQUIT");
  assert.equal(await twixt.ended(), 70);
  const silent = performance.now() - since - (signs().at(-1)!.usec - usual.at(-1)!) / 1_000;
  console.log(`a hung worker: no sign of life in the last ${Math.round(silent)} ms`);
  assert(silent >= 2_500, `${silent} ms`);
  assert.match(twixt.err.join("\n"), /worker 0 hangs/);
});

Deno.test("after a takeover the new process is the service's main one, and only it is heard", {
  timeout,
}, async () => {
  await using backend = echo();
  await using folder = new TemporaryFolder();
  await using manager = await NotifyReceiver.listen(`${folder.path}/socket`);
  const env = { NOTIFY_SOCKET: manager.address };
  const server = staticServer([backend], { bind: `127.0.0.1:${freePort()}` });
  await using old = await Twixt.start({ config: { workers: 1, servers: { web: server } }, env });
  using conn = await connect(old.port("web"));
  await writeAll(conn, Uint8Array.of(1));
  assert.equal(await conn.read(new Uint8Array(8)), 1);
  const [command, ...args] = program();
  await using successor = new Deno.Command(command!, {
    args: [...args, "-c", old.file, "--takeover", `${old.folder}/twixt.pid`],
    ...{ env, stdin: "null", stdout: "null", stderr: "null" },
  }).spawn();
  const MAINPID = String(successor.pid);
  await manager.hear({ READY: "1", MAINPID });
  const line = await old.logged(({ msg }) => msg === "stopping");
  assert.deepEqual([line.open, line.left_ms], [1, undefined]);
  await conn.closeWrite();
  assert.deepEqual(await untilEnd(conn), { end: "fin", bytes: 0 });
  assert.equal(await old.ended(), 0);
  successor.kill("SIGTERM");
  await manager.hear({ STOPPING: "1" });
  await successor.status;
  assert.deepEqual(manager.heard.map(({ pid, fields }) => [pid, Object.keys(fields).join()]), [
    [old.pid, "READY,MAINPID,STATUS"],
    [old.pid, "MAINPID"],
    [successor.pid, "READY,MAINPID,STATUS"],
    [successor.pid, "STOPPING,STATUS"],
  ]);
  assert.equal(manager.heard[1]!.fields.MAINPID, MAINPID);
});
