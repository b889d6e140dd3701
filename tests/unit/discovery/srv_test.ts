import assert from "node:assert/strict";
import fc from "fast-check";
import { backendsOf, srv, usable } from "../../../discovery/srv.ts";
import { printHostPort } from "../../../lib/address.ts";
import { runProgram } from "../../../lib/host/program.ts";
import { type Backend, MAX_LISTED } from "../../../lib/model.ts";
import type { RecordOf } from "../../../lib/net/dns/follow.ts";
import {
  type Answerer,
  DnsStandIn,
  questionOf,
  record,
  reply,
  srvRecord,
  wire,
} from "../../support/dns_stand_in.ts";

const A = 1;
const AAAA = 28;
const V6 = [...Array(15).fill(0), 1];

const print = ({ host, port, weight, priority, sni }: Backend) =>
  `${printHostPort(host, port)} ${priority}/${weight} ${sni}`;

/** Asks a stand-in: the backends or the failure, and what was skipped. */
async function outcome(answer: Answerer) {
  await using server = new DnsStandIn(answer);
  const skipped: string[] = [];
  const context = {
    signal: AbortSignal.timeout(3_000),
    skip: (entry: string, why: string) => void skipped.push(`${entry}: ${why}`),
    run: runProgram,
  };
  const options = {
    srv_lookup_server: server.address,
    srv_lookup_pattern: "_web._tcp.test.",
    srv_dns_protocol: "udp" as const,
  };
  const found = await srv.find(options, context).then(
    (list) => list.map(print),
    (error) => `${error.name}: ${error.message}`.replace(/:\d{4,5}/g, ":PORT"),
  );
  return { found, skipped: skipped.sort(), asked: server.asked.length };
}

/** Answers SRV questions with these rows, and all others from `hosts`: records, or an error code. */
function zone(
  rows: readonly (readonly [number, number, number, string])[],
  hosts: Readonly<Record<string, readonly (readonly number[])[] | number>> = {},
  additional: readonly (readonly number[])[] = [],
): Answerer {
  return (question) => {
    const { name, type } = questionOf(question);
    if (type === 33) {
      const answers = [
        record(name, 46, [1, 2, 3]), // a signature, as a server that signs puts beside
        ...rows.map((row) => srvRecord(name, row)),
      ];
      return [reply(question, { answers, additional })];
    }
    const known = hosts[name] ?? 3;
    if (typeof known === "number") return [reply(question, { rcode: known })];
    return [reply(question, { answers: known.filter(([...bytes]) => typeOf(bytes) === type) })];
  };
}

function typeOf(bytes: readonly number[]): number {
  return bytes[bytes.indexOf(0) + 2]!;
}

Deno.test("srv takes addresses that came along, asks for the others, and takes all of a target", async () => {
  const rows = [[0, 0, 80, "a.test"], [10, 5, 8080, "b.test"], [1, 65_535, 65_535, "c.test"]];
  const additional = [record("a.test", A, [10, 0, 0, 1]), record("a.test", A, [10, 0, 0, 2])];
  const hosts = {
    "b.test": [record("b.test", AAAA, V6)],
    "c.test": [record("c.test", A, [10, 0, 0, 3]), record("c.test", AAAA, V6)],
  };
  const { found, skipped, asked } = await outcome(zone(rows as never, hosts, additional));
  assert.deepEqual(found, [
    "10.0.0.1:80 0/0 a.test",
    "10.0.0.2:80 0/0 a.test",
    "10.0.0.3:65535 1/65535 c.test",
    "[::1]:8080 10/5 b.test",
  ]);
  assert.deepEqual(skipped, []);
  assert.equal(asked, 4);
});

Deno.test("srv skips what can't be dialled, and uses the rest", async () => {
  const rows = [
    ...[[0, 0, 80, "a.test"], [0, 0, 80, "gone.test"], [0, 0, 80, "empty.test"]],
    ...[[0, 0, 0, "a.test"], [0, 0, 80, ""], [0, 0, 80, "broken.test"], [0, 0, 80, "loop.test"]],
  ];
  const hosts = {
    "a.test": [record("a.test", A, [10, 0, 0, 1])],
    "empty.test": [],
    "broken.test": 2,
    "loop.test": [record("loop.test", 5, wire("loop.test"))],
  };
  const answer = zone(rows as never, hosts);
  const looping: Answerer = (question, protocol) =>
    questionOf(question).name === "loop.test"
      ? [reply(question, { answers: hosts["loop.test"] })]
      : answer(question, protocol);
  assert.deepEqual(await outcome(looping), {
    found: ["10.0.0.1:80 0/0 a.test"],
    skipped: [
      ".:80: the target . means that there is no such service",
      "a.test:0: port 0 can't be dialled",
      `broken.test: "broken.test" can't be answered (the DNS server says SERVFAIL)`,
      "empty.test: it has no address",
      `gone.test: "gone.test" doesn't exist (the DNS server says NXDOMAIN)`,
      'loop.test: "loop.test" has aliases (CNAME) that lead round in a circle or too far',
    ],
    asked: 7, // empty.test for both families
  });
});

Deno.test("srv finds nobody where DNS says that there is nobody", async () => {
  assert.deepEqual((await outcome(zone([]))).found, []);
  assert.deepEqual((await outcome(zone([[0, 0, 80, ""]]))).found, []);
});

Deno.test("srv fails when none of the records can be used: the last list is better than none", async () => {
  const { found } = await outcome(zone([[0, 0, 0, "a.test"]]));
  assert.equal(found, `DiscoveryError: none of the records of "_web._tcp.test." can be used`);
});

Deno.test.each([
  { what: "the name doesn't exist", rcode: 3, why: /"_web\._tcp\.test" doesn't exist .*NXDOMAIN/ },
  {
    what: "the server is broken",
    rcode: 2,
    why: /"_web\._tcp\.test" can't be answered .*SERVFAIL/,
  },
])("srv fails when $what", async ({ rcode, why }) => {
  const { found } = await outcome((question) => [reply(question, { rcode })]);
  assert.match(String(found), why);
  assert.match(String(found), /^DiscoveryError: /);
});

Deno.test("srv fails when no target has an address: the last list is better than none", async () => {
  const { found, skipped } = await outcome(zone([[0, 0, 80, "a.test"], [0, 0, 80, "b.test"]]));
  assert.equal(found, `DiscoveryError: none of the targets of "_web._tcp.test." has an address`);
  assert.equal(skipped.length, 2);
});

Deno.test("srv fails when the server stops answering half way", async () => {
  const rows = Array.from({ length: 50 }, (_, i) => [0, 0, 80, `h${i}.test`] as const);
  const answer = zone(rows);
  let asked = 0;
  const dying: Answerer = (question, protocol) => asked++ > 10 ? [] : answer(question, protocol);
  const { found } = await outcome(dying);
  assert.match(String(found), /^DiscoveryError: the DNS server 127\.0\.0\.1:PORT doesn't answer$/);
});

Deno.test("srv follows an alias of its name", async () => {
  const answer: Answerer = (question) => {
    const { name } = questionOf(question);
    const own = name === "_web._tcp.test";
    const answers = own
      ? [record(name, 5, wire("real.test"))]
      : [srvRecord(name, [0, 0, 80, "a.test"])];
    return [reply(question, { answers, additional: [record("a.test", A, [10, 0, 0, 1])] })];
  };
  assert.deepEqual((await outcome(answer)).found, ["10.0.0.1:80 0/0 a.test"]);
});

const row = fc.record({
  priority: fc.nat(3),
  weight: fc.nat(3),
  port: fc.constantFrom(80, 81),
  target: fc.constantFrom("a", "b", "c"),
}).map((row): RecordOf<"SRV"> => ({ ...row, type: "SRV", name: "x", ttlSeconds: 1 }));

Deno.test("backendsOf() gives the same for the same records in any order, each address once", () => {
  const addresses = new Map([["a", ["1", "2"]], ["b", ["2", "3"]]]);
  const rows = fc.array(row, { maxLength: 12 });
  fc.assert(fc.property(rows, fc.infiniteStream(fc.nat()), (rows, random) => {
    const found = backendsOf(rows, addresses);
    const keys = rows.map((row) => ({ row, key: random.next().value! }));
    const shuffled = keys.sort((a, b) => a.key - b.key).map(({ row }) => row);
    assert.deepEqual(backendsOf(shuffled, addresses), found);
    assert.equal(new Set(found.map(({ host, port }) => `${host}:${port}`)).size, found.length);
    for (const { host, port, priority } of found) {
      const same = rows.filter((row) =>
        row.port === port && addresses.get(row.target)?.includes(host)
      );
      assert.equal(priority, Math.min(...same.map((row) => row.priority)));
    }
  }));
});

Deno.test("backendsOf() stops where there are more than are taken: 12 million would fit into two answers", () => {
  const addresses = Array.from({ length: 4_000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
  const rows = Array.from({ length: 3_200 }, (_, i): RecordOf<"SRV"> => ({
    ...{ type: "SRV", name: "x", ttlSeconds: 1, priority: 0, weight: 0 },
    ...{ port: i + 1, target: "a" },
  }));
  const found = backendsOf(rows, new Map([["a", addresses]])).length;
  assert(found > MAX_LISTED && found < 2 * MAX_LISTED, `${found}`);
});

Deno.test("usable() skips targets that no host is called", () => {
  const skipped: string[] = [];
  const rows: RecordOf<"SRV">[] = [
    {
      ...{ type: "SRV", name: "x", ttlSeconds: 1, priority: 0, weight: 0, port: 80 },
      target: "a\\032b",
    },
  ];
  assert.deepEqual(usable(rows, (entry, why) => void skipped.push(`${entry}: ${why}`)), []);
  assert.deepEqual(skipped, ["a\\032b:80: no host has such a name"]);
});
