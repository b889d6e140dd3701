import assert from "node:assert/strict";
import { type Notify, type NotifyOptions, openNotify } from "../../../../lib/host/notify.ts";
import { until } from "../../../support/backends.ts";
import { ManualClock } from "../../../support/clock.ts";
import { MemoryLog } from "../../../support/log.ts";
import { NotifyReceiver } from "../../../support/notify_receiver.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

function open(address: string | undefined, more: Partial<NotifyOptions> = {}) {
  const [log, clock] = [new MemoryLog(), new ManualClock()];
  return { log, clock, notify: openNotify(address, { log, clock, ...more }) };
}

/** What the manager has been told: all of it, as this comes last. */
async function told(notify: Notify, manager: NotifyReceiver) {
  notify.status("that is all");
  await manager.hear({ STATUS: "that is all" });
  return manager.fields().slice(0, -1);
}

/** Lets what the runtime has to do go on. */
const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("a service manager is told of start, reload and stop, each in one datagram of ours", async () => {
  await using folder = new TemporaryFolder();
  await using manager = await NotifyReceiver.listen(`${folder.path}/socket`);
  const { notify, log } = open(manager.address);
  using _notify = notify;
  const since = performance.now();
  notify.ready("one\nMAINPID=1");
  notify.reloading();
  notify.ready("two");
  notify.stopping("going");
  const all = await told(notify, manager);
  const { MONOTONIC_USEC, ...reloading } = all[1]!;
  assert.deepEqual(reloading, { RELOADING: "1" });
  const ago = (performance.now() - since) * 1_000;
  assert(Number(MONOTONIC_USEC) >= manager.heard[1]!.usec - ago, `${MONOTONIC_USEC} is too early`);
  all.splice(1, 1);
  const MAINPID = String(Deno.pid);
  assert.deepEqual(all, [
    { READY: "1", MAINPID, STATUS: "one MAINPID=1" },
    { READY: "1", MAINPID, STATUS: "two" },
    { STOPPING: "1", STATUS: "going" },
  ]);
  assert.deepEqual([...new Set(manager.heard.map(({ pid }) => pid))], [Deno.pid]);
  assert.deepEqual(log.lines, []);
});

Deno.test("a service manager at an abstract address is told, too", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  await using manager = await NotifyReceiver.listen(`@twixt-test-${crypto.randomUUID()}`);
  const { notify, log } = open(manager.address);
  using _notify = notify;
  notify.ready("here");
  assert.deepEqual(await told(notify, manager), [
    { READY: "1", MAINPID: String(Deno.pid), STATUS: "here" },
  ]);
  assert.deepEqual(log.lines, []);
});

Deno.test("a reload that ends after the stop has begun doesn't call the service ready", async () => {
  await using folder = new TemporaryFolder();
  await using manager = await NotifyReceiver.listen(`${folder.path}/socket`);
  using notify = open(manager.address).notify;
  notify.stopping("going");
  notify.reloading();
  notify.ready("no");
  assert.deepEqual(await told(notify, manager), [{ STOPPING: "1", STATUS: "going" }]);
});

Deno.test("signs of life come at half of the watchdog's time, however often all is well", async () => {
  await using folder = new TemporaryFolder();
  await using manager = await NotifyReceiver.listen(`${folder.path}/socket`);
  const { notify, clock } = open(manager.address, { watchdogMs: 2_000 });
  using _notify = notify;
  const at: number[] = [];
  for (; clock.now() <= 3_000; await clock.advance(250)) {
    notify.alive();
    if ((await told(notify, manager)).length > 0) at.push(clock.now());
    manager.heard.splice(0); // so that each round has its own last word
  }
  assert.deepEqual(at, [0, 1_000, 2_000, 3_000]);
});

Deno.test("without a watchdog, and without a manager, nobody is told of life", async () => {
  await using folder = new TemporaryFolder();
  await using manager = await NotifyReceiver.listen(`${folder.path}/socket`);
  using notify = open(manager.address).notify;
  notify.alive();
  assert.deepEqual(await told(notify, manager), []);
  const { notify: nobody, log } = open(undefined, { watchdogMs: 1_000 });
  assert.equal(nobody.watchdogMs, undefined);
  nobody.ready("x");
  nobody.reloading();
  nobody.alive();
  nobody.release(1);
  nobody[Symbol.dispose]();
  assert.deepEqual(log.lines, []);
});

Deno.test("after a release nothing is told any more, but who the main process is now", async () => {
  await using folder = new TemporaryFolder();
  await using manager = await NotifyReceiver.listen(`${folder.path}/socket`);
  using old = open(manager.address, { watchdogMs: 1_000 }).notify;
  using young = open(manager.address).notify;
  old.status("handing over");
  old.release(4_711);
  old.ready("no");
  old.alive();
  old.stopping("no");
  old.release(4_711);
  const last = { MAINPID: "4711", WATCHDOG_USEC: "0" };
  await manager.hear(last);
  assert.deepEqual(await told(young, manager), [{ STATUS: "handing over" }, last]);
});

Deno.test("a manager that isn't there is one warning, and is told once it is", async () => {
  await using folder = new TemporaryFolder();
  const address = `${folder.path}/socket`;
  const { notify, log } = open(address);
  using _notify = notify;
  for (let i = 0; i < 3; i++) notify.status("hello?");
  await until(() => log.lines.length > 0);
  assert.equal(log.lines.length, 1, log.lines.join("\n"));
  assert.match(
    log.lines[0]!,
    /^warning the service manager can't be told .* notify_socket=\S+\/socket why=No such file/,
  );
  await using manager = await NotifyReceiver.listen(address);
  notify.ready("there");
  assert.equal((await told(notify, manager)).length, 1);
  assert.equal(log.lines.length, 1);
});

Deno.test("an address of another sort is one warning", async () => {
  const { notify, log } = open("vsock:2:1234");
  using _notify = notify;
  notify.ready("x");
  notify.status("y");
  await until(() => log.lines.length > 0);
  await turn();
  assert.equal(log.lines.length, 1, log.lines.join("\n"));
});

Deno.test("a manager that doesn't read blocks nobody; what is too much for it is dropped", async () => {
  await using folder = new TemporaryFolder();
  await using manager = await NotifyReceiver.listen(`${folder.path}/socket`, true);
  const { notify, log } = open(manager.address);
  using _notify = notify;
  for (let i = 0; i < 800; i++) {
    notify.status(String(i));
    await turn();
  }
  await manager.goOn();
  await manager.hear({ STATUS: "0" });
  for (let ready = false; !ready; ready = manager.fields().some(({ READY }) => READY === "1")) {
    notify.ready("x");
    await turn();
  }
  const said = manager.fields().map(({ STATUS }) => Number(STATUS)).filter((n) => !isNaN(n));
  assert(said.length >= 10 && said.length < 800, `${said.length} arrived`);
  assert.deepEqual(said, said.map((_, i) => i));
  assert.deepEqual(log.lines, []);
});
