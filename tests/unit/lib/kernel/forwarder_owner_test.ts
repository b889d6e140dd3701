import assert from "node:assert/strict";
import { DOWN } from "../../../../lib/stats/layout.ts";
import { FakeKernel, forwarded } from "../../../support/kernel.ts";
import { NAME, setUp } from "../../../support/kernel_forwarder.ts";
import { member, table } from "../../../support/members.ts";

const two = () => table("weight", [member(1), member(2)]);
const one = () => table("weight", [member(1)]);
const SLOT1 = 11;

Deno.test("Forwarder writes its rules anew when somebody has flushed the kernel's", async () => {
  await using at = setUp();
  at.forwarder.setPool(two());
  await at.forwarder.serve(forwarded());
  at.kernel.tables.clear();
  await at.pass(1_200);
  assert.equal(at.led(), "1 2");
  assert.match(at.log.lines.at(-1)!, /^warning a server's rules had gone .*written anew/);
});

Deno.test("Forwarder takes the place of a dead process's table and removes those that nobody has", async () => {
  const kernel = new FakeKernel();
  const dead = setUp(kernel, 50);
  dead.forwarder.setPool(two());
  await dead.forwarder.serve(forwarded());
  await dead.forwarder.serve(forwarded({ name: "old", port: 81 }));
  kernel.starts.set(50, 7_777); // its number is another one's now
  kernel.tables.set("twixt_mine", {
    counters: new Map([["a", { packets: 0, bytes: 0 }]]),
    chains: new Map(),
  });
  await using at = setUp(kernel);
  at.forwarder.setPool(one());
  await at.forwarder.serve(forwarded());
  assert.equal(at.led(), "1");
  await at.forwarder.sweep();
  assert.deepEqual([...kernel.tables.keys()].sort(), ["twixt_mine", NAME]);
  await dead.forwarder.end(); // it isn't its own any more
  assert.deepEqual([...kernel.tables.keys()].sort(), ["twixt_mine", NAME]);
});

Deno.test("Forwarder refuses an address that a running process forwards, and leaves containers' tables alone", async () => {
  const kernel = new FakeKernel();
  await using other = setUp(kernel, 50);
  other.forwarder.setPool(two());
  await other.forwarder.serve(forwarded());
  await using at = setUp(kernel);
  await assert.rejects(at.forwarder.serve(forwarded()), /process 50 does so already/);
  kernel.namespace = "8";
  await using inside = setUp(kernel, 1);
  await inside.forwarder.sweep();
  assert(kernel.tables.has(NAME));
  kernel.namespace = "7";
});

Deno.test("Forwarder hands a table over: the old process neither changes nor removes it", async () => {
  const kernel = new FakeKernel();
  const old = setUp(kernel, 50);
  old.forwarder.setPool(two());
  await old.forwarder.serve(forwarded());
  await using at = setUp(kernel, 100, 50);
  at.forwarder.setPool(one());
  await at.forwarder.serve(forwarded());
  old.counters.setFlag(SLOT1, DOWN, true);
  await old.pass(1_200);
  assert.equal(at.led(), "1");
  assert.deepEqual(old.log.lines.filter((line) => line.startsWith("error")), []);
  assert.equal(
    old.log.lines.at(-1),
    "info another process forwards this server now server=web pid=100",
  );
  await old.forwarder.drain();
  await old.forwarder.end();
  assert.equal(at.led(), "1");
});

Deno.test("Forwarder takes its table back where the process that would take over has died", async () => {
  const kernel = new FakeKernel();
  await using old = setUp(kernel, 50);
  old.forwarder.setPool(two());
  await old.forwarder.serve(forwarded());
  const at = setUp(kernel, 100, 50);
  await at.forwarder.serve(forwarded());
  assert.equal(old.led(), "");
  await old.pass(1_200);
  kernel.starts.delete(100);
  await old.pass(1_200);
  assert.equal(old.led(), "1 2");
  await at.forwarder.end();
  assert.equal(old.led(), "1 2");
});

Deno.test("Forwarder drains: no new clients, open connections to their end, then nothing is left", async () => {
  const at = setUp();
  at.forwarder.setPool(two());
  await at.forwarder.serve(forwarded());
  at.kernel.flows = "tcp      6 431999 ESTABLISHED src=10.9.0.2 dst=10.0.0.1 sport=5 dport=80 " +
    "src=10.0.0.2 dst=10.0.0.1 sport=80 dport=5 [ASSURED] mark=0 use=1\n";
  let drained = false;
  const drain = at.forwarder.drain().then(() => drained = true);
  await at.pass(3_000);
  assert.deepEqual([at.led(), drained], ["", false]);
  assert.deepEqual(at.kernel.tables.get(NAME)!.chains.get("prerouting"), []);
  at.kernel.flows = "";
  await at.pass(1_200);
  await drain;
  assert(at.kernel.tables.has(NAME));
  await at.forwarder.end();
  assert.equal(at.kernel.tables.size, 0);
});

Deno.test("Forwarder lets a removed server's connections finish, unless it shall not", async () => {
  await using at = setUp();
  at.forwarder.setPool(two());
  await at.forwarder.serve(forwarded());
  at.kernel.flows =
    " ESTABLISHED src=1.1.1.1 dst=2.2.2.2 sport=5 dport=80 src=3.3.3.3 dst=2.2.2.2\n";
  await at.forwarder.stop("web", false);
  await at.pass(3_000);
  assert.equal(at.led(), "");
  assert(at.kernel.tables.has(NAME));
  at.kernel.flows = "";
  await at.pass(1_200);
  assert.equal(at.kernel.tables.size, 0);
  await at.forwarder.serve(forwarded());
  at.kernel.conntrack.length = 0;
  await at.forwarder.stop("web", true);
  assert.equal(at.kernel.tables.size, 0);
  assert.match(at.kernel.conntrack[0]!, /^-D -f ipv4 -p tcp --orig-port-dst 80 --orig-dst 127/);
});

Deno.test("Forwarder moves a server to another port, and one's table to another server", async () => {
  await using at = setUp();
  at.forwarder.setPool(two());
  await at.forwarder.serve(forwarded());
  await at.forwarder.serve(forwarded({ port: 81 }));
  await at.pass(1_200);
  assert.deepEqual([...at.kernel.tables.keys()], ["twixt_tcp_81_any"]);
  await at.forwarder.serve(forwarded({ name: "other", port: 81 }));
  await at.forwarder.stop("web", false);
  await at.pass(1_200);
  assert.equal(at.led("twixt_tcp_81_any"), "1 2");
});

Deno.test("Forwarder leaves the rules to the process that it can't take over from, which takes them back", async () => {
  const kernel = new FakeKernel();
  await using old = setUp(kernel, 50);
  old.forwarder.setPool(two());
  await old.forwarder.serve(forwarded());
  const at = setUp(kernel, 100, 50);
  at.forwarder.setPool(one());
  await at.forwarder.serve(forwarded());
  await at.forwarder.serve(forwarded({ name: "more", port: 81 }));
  const told = kernel.conntrack.length;
  await at.forwarder.stop("web", false); // as where a second server can't be served
  assert.equal(at.led(), "1", "it serves on");
  await at.forwarder.drain();
  await at.forwarder.end();
  assert.equal(at.led(), "1", "and on");
  assert.deepEqual([...kernel.tables.keys()], [NAME], "what the old one hasn't goes");
  assert.ok(!kernel.conntrack.slice(told).some((args) => args.includes("--orig-port-dst 80")));
  kernel.starts.delete(100);
  await old.pass(1_200);
  assert.equal(old.led(), "1 2", "the old one has it again");
});

Deno.test("Forwarder keeps for itself what it has taken over, once that is done", async () => {
  const kernel = new FakeKernel();
  const old = setUp(kernel, 50);
  old.forwarder.setPool(two());
  await old.forwarder.serve(forwarded());
  const at = setUp(kernel, 100, 50);
  at.forwarder.setPool(two());
  await at.forwarder.serve(forwarded());
  at.forwarder.takenOver();
  await old.forwarder.end();
  await at.forwarder.end();
  assert.deepEqual([...kernel.tables.keys()], []);
});

Deno.test("Forwarder takes nobody for dead because nobody has told", async () => {
  const kernel = new FakeKernel();
  await using other = setUp(kernel, 50);
  other.forwarder.setPool(two());
  await other.forwarder.serve(forwarded());
  await using at = setUp(kernel);
  kernel.mute = true;
  await at.forwarder.sweep();
  assert.ok(kernel.tables.has(NAME));
  await assert.rejects(at.forwarder.serve(forwarded({ name: "b", port: 81 })), /can't be told/);
  kernel.mute = false;
  at.forwarder.setPool(two());
  await at.forwarder.serve(forwarded({ name: "b", port: 81 }));
});

Deno.test("Forwarder ends UDP sessions with backends of the table that it replaces, and no others", async () => {
  const kernel = new FakeKernel();
  const dead = setUp(kernel, 50);
  dead.forwarder.setPool(table("weight", [
    member(1),
    member(2),
    member(3, { address: "fd00::3" }),
  ]));
  const udp = forwarded({ protocol: "udp", port: 53 });
  await dead.forwarder.serve(udp);
  kernel.starts.delete(50);
  await using at = setUp(kernel);
  at.forwarder.setPool(one());
  kernel.conntrack.length = 0;
  await at.forwarder.serve(udp);
  const ended = kernel.conntrack.map((args) => /--reply-src (\S+)/.exec(args)?.[1]).sort();
  assert.deepEqual(ended, ["10.0.0.2", "fd00::3"]);
  await dead.forwarder.end();
});
