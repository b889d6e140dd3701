import assert from "node:assert/strict";
import { dns, type DnsOptions } from "../../../discovery/dns.ts";
import { discoveries } from "../../../discovery/registry.ts";
import { checks } from "../../../health/registry.ts";
import { strategies } from "../../../lib/balance/registry.ts";
import { loadConfig } from "../../../lib/config/load.ts";
import { runProgram } from "../../../lib/host/program.ts";
import {
  type Answerer,
  DnsStandIn,
  questionOf,
  record,
  reply,
} from "../../support/dns_stand_in.ts";

const both: Answerer = (question) => {
  const { name, type } = questionOf(question);
  const answers = type === 1
    ? [record(name, 1, [10, 0, 0, 2], 30), record(name, 1, [10, 0, 0, 1], 20)]
    : [record(name, 28, [...Array(15).fill(0), 1], 10)];
  return [reply(question, { answers })];
};

async function outcome(answer: Answerer, options: Partial<DnsOptions> = {}) {
  await using server = new DnsStandIn(answer);
  const held: number[] = [];
  const context = {
    signal: AbortSignal.timeout(3_000),
    skip: () => {},
    run: runProgram,
    holds: (ms: number) => void held.push(ms),
  };
  const asked = dns.find({
    dns_name: "web.test",
    dns_port: 80,
    dns_lookup_server: server.address,
    dns_family: "any",
    ...options,
  }, context);
  const found = await asked.then(
    (list) => list.map(({ host, port, weight }) => `${host} ${port} ${weight}`),
    (error) => `${error.name}: ${error.message}`,
  );
  return { found, held };
}

Deno.test.each([
  { family: "any", found: ["10.0.0.1 80 1", "10.0.0.2 80 1"], held: [20_000] },
  { family: "ipv4", found: ["10.0.0.1 80 1", "10.0.0.2 80 1"], held: [20_000] },
  { family: "ipv6", found: ["::1 80 1"], held: [10_000] },
])("dns with family $family: $found", async ({ family, ...expected }) => {
  assert.deepEqual(await outcome(both, { dns_family: family as "any" }), expected);
});

Deno.test("dns finds nobody where DNS says so, and fails where it gives an error", async () => {
  const { found, held } = await outcome((question) => [reply(question, {})]);
  assert.deepEqual({ found, held }, { found: [], held: [Infinity] });
  const failed = await outcome((question) => [reply(question, { rcode: 3 })]);
  assert.match(String(failed.found), /^DiscoveryError: "web\.test" doesn't exist .*NXDOMAIN/);
  assert.deepEqual(failed.held, []);
});

Deno.test("dns fails when one family can't be asked for and the other has nothing", async () => {
  const half: Answerer = (question) => [
    reply(question, { rcode: questionOf(question).type === 28 ? 2 : 0 }),
  ];
  assert.match(String((await outcome(half)).found), /SERVFAIL/);
});

Deno.test("dns knows localhost without asking anybody", async () => {
  const options = { dns_lookup_server: undefined, dns_name: "localhost" };
  assert.deepEqual((await outcome(both, options)).found, ["127.0.0.1 80 1"]);
  const v6 = await outcome(both, { ...options, dns_family: "ipv6" });
  assert.deepEqual(v6.found, ["::1 80 1"]);
});

const kinds = { strategies, discoveries, checks };

/** What a configuration with this discovery is told, line by line. */
function judged(discovery: Record<string, unknown>): string[] {
  const text = JSON.stringify({ servers: { web: { bind: ":1", discovery } } });
  try {
    loadConfig(text, { file: "x.json", format: "json", kinds, lenient: false });
    return [];
  } catch (error) {
    return (error as Error).message.replaceAll("x.json:1: servers.web.discovery.", "").split("\n");
  }
}

Deno.test("dns: the configuration's check says what is wrong with each key", () => {
  assert.deepEqual(judged({ kind: "dns", dns_name: "web.test", dns_port: 80 }), []);
  assert.deepEqual(judged({ kind: "dns" }), [
    "dns_name: is missing",
    '       for example dns_name = "web.example.com"',
    "dns_port: is missing",
  ]);
  const wrong = { dns_name: "10.0.0.1", dns_port: 0, dns_lookup_server: "::1", dns_family: "ipx" };
  assert.deepEqual(judged({ kind: "dns", ...wrong }), [
    "dns_name: is an address, and a name is wanted",
    '       for addresses there is kind = "static"',
    "dns_port: 0 is too small",
    "       at least 1",
    'dns_lookup_server: "::1" has an IPv6 address without brackets',
    "       write [:]:1",
    'dns_family: "ipx" is not possible here',
    "       One of any, ipv4, ipv6",
  ]);
});

Deno.test("srv: the configuration's check says what is wrong with each key", () => {
  const good = { srv_lookup_server: "consul.example:8600", srv_lookup_pattern: "_web._tcp.test." };
  assert.deepEqual(judged({ kind: "srv", ...good }), []);
  assert.deepEqual(judged({ kind: "srv", ...good, srv_dns_protocol: "" }), []);
  const wrong = { srv_lookup_server: ":53", srv_lookup_pattern: "a..b", srv_dns_protocol: "tls" };
  assert.deepEqual(judged({ kind: "srv", ...wrong }), [
    'srv_lookup_server: ":53" has no host',
    '       write host:port, for example "127.0.0.1:53"',
    'srv_lookup_pattern: "a..b" has an empty part',
    '       write a name like "web.example.com"',
    'srv_dns_protocol: "tls" is not possible here',
    "       One of udp, tcp",
  ]);
});
