import assert from "node:assert/strict";
import { StartError } from "../../../../lib/errors.ts";
import { DENIED, DOWN, DRAINING, REFUSED, RX, TOTAL, TX } from "../../../../lib/stats/layout.ts";
import { type FakeKernel, forwarded } from "../../../support/kernel.ts";
import { NAME, setUp } from "../../../support/kernel_forwarder.ts";
import { member, table } from "../../../support/members.ts";

const two = () => table("weight", [member(1), member(2)]);
const one = () => table("weight", [member(1)]);
const [SLOT1, SLOT2] = [11, 12];

Deno.test("Forwarder runs nothing before it has a server", async () => {
  await using at = setUp();
  at.forwarder.setPool(two());
  await at.forwarder.settled(100);
  await at.forwarder.drain();
  await at.pass(2_000);
  assert.deepEqual(at.kernel.ran, []);
});

Deno.test("Forwarder follows drains, checks and weights within 100 ms, and writes nothing else", async () => {
  await using at = setUp();
  at.forwarder.setPool(two());
  await at.forwarder.serve(forwarded());
  assert.equal(at.led(), "1 2");
  at.counters.setFlag(SLOT1, DRAINING, true);
  assert.equal(at.forwarder.upToDate, false);
  await at.pass(100);
  assert.equal(at.led(), "2");
  at.counters.setFlag(SLOT1, DRAINING, false);
  at.counters.setFlag(SLOT2, DOWN, true);
  await at.forwarder.settled(100);
  assert.equal(at.led(), "1");
  assert.equal(at.forwarder.upToDate, true);
  at.forwarder.setPool(table("weight", [member(1, { weight: 0 }), member(2, { weight: 5 })]));
  at.counters.setFlag(SLOT2, DOWN, false);
  await at.pass(100);
  assert.equal(at.led(), "2");
  const { transactions } = at.kernel;
  await at.pass(3_000);
  assert.equal(at.kernel.transactions, transactions);
});

Deno.test("Forwarder adds what the kernel has counted; a change of the pool loses nothing", async () => {
  await using at = setUp();
  const { kernel, counters } = at;
  at.forwarder.setPool(two());
  await at.forwarder.serve(forwarded());
  kernel.counted(NAME, "sessions_to_10.0.0.1_80", 3, 180);
  kernel.counted(NAME, "tx_to_10.0.0.1_80", 9, 900);
  kernel.counted(NAME, "rx_to_10.0.0.1_80", 8, 8_000);
  kernel.counted(NAME, "denied", 2, 120);
  await at.pass(1_100);
  kernel.counted(NAME, "sessions_to_10.0.0.1_80", 1, 60);
  kernel.counted(NAME, "sessions_to_10.0.0.2_80", 4, 240);
  at.forwarder.setPool(one()); // the second one goes, counted or not
  await at.pass(1_100);
  assert.equal(counters.sum(SLOT1, TOTAL), 4);
  assert.equal(counters.sum(SLOT2, TOTAL), 4);
  assert.equal(counters.sum(2, TOTAL), 8);
  assert.deepEqual([TX, RX].map((cell) => counters.sum(2, cell)), [900, 8_000]);
  assert.deepEqual([DENIED, REFUSED].map((cell) => counters.sum(2, cell)), [2, 2]);
  assert(!kernel.tables.get(NAME)!.counters.has("sessions_to_10.0.0.2_80"));
});

Deno.test.each(
  [
    { protocol: "udp", onRemove: "finish", ended: true },
    { protocol: "tcp", onRemove: "close", ended: true },
    { protocol: "tcp", onRemove: "finish", ended: false },
  ] as const,
)(
  "Forwarder ends the connections of a backend that leaves: $protocol with on_remove $onRemove $ended",
  async ({ protocol, onRemove, ended }) => {
    await using at = setUp();
    at.forwarder.setPool(two());
    await at.forwarder.serve(forwarded({ protocol, onRemove }));
    at.kernel.conntrack.length = 0;
    at.forwarder.setPool(one());
    await at.pass(100);
    const told = `-D -f ipv4 -p ${protocol} --orig-port-dst 80 ` +
      "--dst-nat --reply-src 10.0.0.2 --reply-port-src 80";
    assert.deepEqual(at.kernel.conntrack, ended ? [told] : []);
  },
);

Deno.test("Forwarder has UDP's clients chosen anew when a backend fails, and TCP's never", async () => {
  for (const protocol of ["udp", "tcp"] as const) {
    await using at = setUp();
    at.forwarder.setPool(two());
    await at.forwarder.serve(forwarded({ protocol }));
    at.kernel.conntrack.length = 0;
    at.counters.setFlag(SLOT2, DRAINING, true);
    await at.pass(100);
    assert.equal(at.kernel.conntrack.length, 0, "a drain lets sessions finish");
    at.counters.setFlag(SLOT2, DOWN, true);
    await at.pass(200);
    assert.equal(at.kernel.conntrack.length, protocol === "udp" ? 1 : 0, protocol);
    at.forwarder.cut([SLOT1], true);
    await at.pass(50);
    assert.match(at.kernel.conntrack.at(-1)!, /--reply-src 10\.0\.0\.1 --reply-port-src 80/);
  }
});

Deno.test("Forwarder makes UDP's clients known to it that had been refused before", async () => {
  await using at = setUp();
  at.forwarder.setPool(two());
  await at.forwarder.serve(forwarded({ protocol: "udp", hostname: "0.0.0.0" }));
  assert.deepEqual(at.kernel.conntrack, [
    "-D -f ipv4 -p udp --orig-port-dst 80 --orig-dst 127.0.0.1",
    "-D -f ipv4 -p udp --orig-port-dst 80 --orig-dst 10.0.0.1",
  ]);
});

Deno.test("Forwarder logs a failure once, keeps trying, and says when it is over", async () => {
  await using at = setUp();
  at.forwarder.setPool(two());
  await at.forwarder.serve(forwarded());
  at.kernel.broken = "Error: Could not process rule: Device or resource busy";
  at.counters.setFlag(SLOT1, DOWN, true);
  await at.pass(5_000);
  assert.equal(at.led(), "1 2");
  const failures = at.log.lines.filter((line) => line.startsWith("error"));
  assert.deepEqual(failures, [
    "error the kernel's rules can't be changed; it is tried again why=nft says: " +
    "Error: Could not process rule: Device or resource busy",
  ]);
  assert(at.kernel.ran.length < 40, `${at.kernel.ran.length} programs in 5 s`);
  at.kernel.broken = "";
  await at.pass(1_200);
  assert.equal(at.led(), "2");
  assert.equal(at.log.lines.at(-1), "info the kernel's rules can be changed again");
});

Deno.test.each([
  {
    what: "nft isn't there",
    break: (kernel: FakeKernel) => void kernel.missing.add("nft"),
    message: 'server "web" can\'t be forwarded by the kernel: there is no program nft',
    hint: "apt-get install -y nftables",
  },
  {
    what: "nobody lets us",
    break: (kernel: FakeKernel) =>
      void (kernel.broken = "Operation not permitted (you must be root)\nnetlink: Error"),
    message: 'server "web" can\'t be forwarded by the kernel: nft says: ' +
      "Operation not permitted (you must be root)",
    hint: "run as root, or give the service AmbientCapabilities=CAP_NET_ADMIN",
  },
])("Forwarder.serve() says what to do where $what", async ({ break: breaks, message, hint }) => {
  await using at = setUp();
  breaks(at.kernel);
  await assert.rejects(at.forwarder.serve(forwarded()), (error: unknown) => {
    assert(error instanceof StartError);
    assert.deepEqual([error.message, error.hint], [message, hint]);
    return true;
  });
});

Deno.test("Forwarder.serve() changes nothing where the kernel refuses a change", async () => {
  await using at = setUp();
  at.forwarder.setPool(two());
  await at.forwarder.serve(forwarded());
  const access = { allowByDefault: false, rules: [] };
  at.kernel.broken = "Error: no";
  await assert.rejects(at.forwarder.serve(forwarded({ access })), StartError);
  at.kernel.broken = "";
  await at.pass(2_000);
  assert.match(JSON.stringify(at.kernel.tables.get(NAME)!.chains.get("serve")), /"choose"/);
  await at.forwarder.serve(forwarded({ access }));
  assert.match(JSON.stringify(at.kernel.tables.get(NAME)!.chains.get("serve")), /"deny"/);
});

Deno.test("Forwarder says what the host lacks, once", async () => {
  await using at = setUp();
  at.kernel.sysctls.set("net.ipv4.ip_forward", "0");
  at.kernel.missing.add("conntrack");
  at.forwarder.setPool(table("weight", [member(1, { maxConnections: 5 })]));
  const udp = { protocol: "udp", forward: "transparent", hostname: "0.0.0.0" } as const;
  await at.forwarder.serve(forwarded(udp));
  await at.forwarder.serve(forwarded({ ...udp, name: "more", port: 81 }));
  assert.deepEqual(at.log.lines.map((line) => line.split(" ").slice(0, 6).join(" ")), [
    "warning connections that the kernel forwards",
    "warning max_connections, sni and PROXY headers",
    "warning the kernel passes nothing on",
    "info backends see clients' own addresses:",
    "warning max_connections, sni and PROXY headers",
    "info backends see clients' own addresses:",
  ]);
  assert.match(at.log.lines[0]!, /hint=apt-get install -y conntrack$/);
  assert.match(at.log.lines[2]!, /hint=sysctl -w net.ipv4.ip_forward=1$/);
});

Deno.test("Forwarder leads to each place once, and to none that a rule can't name", async () => {
  await using at = setUp();
  at.forwarder.setPool(table("weight", [
    member(1),
    member(5, { address: "10.0.0.1" }), // another name of the same
    member(2, { address: "::ffff:10.0.0.2" }),
    member(3, { address: "fe80::1%eth0" }),
  ]));
  await at.forwarder.serve(forwarded());
  const chains = [...at.kernel.tables.get(NAME)!.chains.keys()];
  assert.deepEqual(chains.filter((name) => name.startsWith("to_")), [
    "to_10.0.0.1_80",
    "to_10.0.0.2_80",
  ]);
  at.kernel.counted(NAME, "sessions_to_10.0.0.2_80", 1, 60);
  await at.pass(1_100);
  assert.equal(at.counters.sum(SLOT2, TOTAL), 1);
});

Deno.test.each([
  { hostname: "::", address: "127.0.0.1", warned: "a backend on loopback can't be reached" },
  {
    hostname: "127.0.0.1",
    address: "10.0.0.1",
    warned: "a server on loopback reaches backends on",
  },
  { hostname: "127.0.0.1", address: "127.0.0.1", warned: undefined },
  { hostname: "10.0.0.9", address: "10.0.0.1", warned: undefined },
])("Forwarder warns of loopback: $hostname to $address", async ({ hostname, address, warned }) => {
  await using at = setUp();
  at.forwarder.setPool(table("weight", [member(1, { address })]));
  await at.forwarder.serve(forwarded({ hostname }));
  at.counters.setFlag(SLOT1, DRAINING, true);
  await at.pass(200);
  assert.equal(at.log.lines.length, warned === undefined ? 0 : 1, at.log.lines.join());
  if (warned !== undefined) assert(at.log.lines[0]!.startsWith(`warning ${warned}`));
});

Deno.test("Forwarder writes a table anew when a change has failed that was done, or somebody has meddled", async () => {
  await using at = setUp();
  at.forwarder.setPool(table("weight", [member(1), member(2)]));
  await at.forwarder.serve(forwarded());
  at.kernel.tables.get(NAME)!.chains.delete("to_10.0.0.2_80"); // somebody else's doing
  at.forwarder.setPool(table("weight", [member(1)]));
  await at.pass(1_500);
  assert.equal(at.led(), "1");
  assert.ok(at.forwarder.upToDate);
});

Deno.test("Forwarder knows an address by whatever spelling", async () => {
  await using at = setUp();
  const two = ["fd88:1::2", "FD88:1:0::2"].map((address, i) => member(i, { address, port: 80 }));
  at.forwarder.setPool(table("weight", two));
  await at.forwarder.serve(forwarded());
  const names = [...at.kernel.tables.get(NAME)!.chains.keys()].filter((name) => /^to_/.test(name));
  assert.deepEqual(names, ["to_fd88.1..2_80"]);
});

Deno.test("Forwarder counts nothing any more for a server that has gone", async () => {
  await using at = setUp();
  at.kernel.flows =
    "tcp 6 1 ESTABLISHED src=1.1.1.1 dst=10.0.0.1 sport=1 dport=80 src=10.0.0.1 dst=1.1.1.1";
  at.forwarder.setPool(table("weight", [member(1)]));
  await at.forwarder.serve(forwarded());
  at.kernel.counted(NAME, "tx_to_10.0.0.1_80", 1, 100);
  await at.forwarder.stop("web", false);
  assert.equal(at.counters.sum(2, TX), 100, "what came before is counted");
  if (at.kernel.tables.has(NAME)) at.kernel.counted(NAME, "tx_to_10.0.0.1_80", 1, 100);
  await at.pass(2_500);
  assert.equal(at.counters.sum(2, TX), 100, "the slot is another's");
});
