import assert from "node:assert/strict";
import { addressesOf } from "../../../../../lib/net/dns/addresses.ts";
import { type DnsClient, resolve } from "../../../../../lib/net/dns/client.ts";
import { candidates, parseResolvConf } from "../../../../../lib/net/dns/system.ts";
import {
  type Answerer,
  DnsStandIn,
  questionOf,
  record,
  reply,
  srvRecord,
  wire,
} from "../../../../support/dns_stand_in.ts";

const A = 1;
const one = [10, 0, 0, 1];

/** Asks a stand-in for the addresses of a.test; what it found, or why it didn't. */
async function outcome(
  answer: Answerer,
  { protocol = "udp" as DnsClient["protocol"], limitMs = 20_000, servers = 1 } = {},
) {
  await using stack = new AsyncDisposableStack();
  const all = Array.from({ length: servers }, () => stack.use(new DnsStandIn(answer)));
  const client = { servers: all.map(({ port }) => ({ address: "127.0.0.1", port })), protocol };
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), limitMs);
  const { said } = await addressesOf(client, "a.test", "ipv4", limit.signal).then(
    ({ addresses, ttlMs }) => ({ said: `${addresses} for ${ttlMs} ms` }),
    (error) => ({ said: `${error.name}: ${error.message}`.replace(/:\d{4,5}/g, ":PORT") }),
  );
  clearTimeout(timer);
  return { said, asked: all.flatMap(({ asked }) => asked) };
}

const good: Answerer = (question) => [reply(question, { answers: [record("a.test", A, one)] })];
const silent: Answerer = () => [];

Deno.test("resolve() gives the records and how long they hold", async () => {
  const { said, asked } = await outcome(good);
  assert.equal(said, "10.0.0.1 for 60000 ms");
  assert.deepEqual(asked.map(({ protocol }) => protocol), ["udp"]);
});

Deno.test("resolve() over tcp doesn't use udp at all", async () => {
  const { said, asked } = await outcome(good, { protocol: "tcp" });
  assert.equal(said, "10.0.0.1 for 60000 ms");
  assert.deepEqual(asked.map(({ protocol }) => protocol), ["tcp"]);
});

Deno.test("resolve() asks over tcp when an answer over udp is cut off", async () => {
  const answer: Answerer = (question, protocol) => [
    reply(
      question,
      protocol === "udp" ? { truncated: true } : { answers: [record("a.test", A, one)] },
    ),
  ];
  const { said, asked } = await outcome(answer);
  assert.equal(said, "10.0.0.1 for 60000 ms");
  assert.deepEqual(asked.map(({ protocol }) => protocol), ["udp", "tcp"]);
  const cut: Answerer = (question) => [reply(question, { truncated: true })];
  assert.match((await outcome(cut)).said, /an answer is cut off although it came over TCP$/);
});

Deno.test("resolve() waits for its own answer among forged ones", async () => {
  const answer: Answerer = (question) => {
    const right = reply(question, { answers: [record("a.test", A, one)] });
    const forged = reply(question, { answers: [record("a.test", A, [6, 6, 6, 6])] });
    const otherId = forged.slice();
    otherId[1]! ^= 1;
    const otherName = forged.slice();
    otherName[13] = 98;
    const otherType = forged.slice();
    otherType[questionOf(question).end - 3] = 28;
    const echoed = forged.slice();
    echoed[2]! &= 0x7f;
    return [otherId, otherName, otherType, echoed, Uint8Array.of(), Uint8Array.of(1), right];
  };
  const { said, asked } = await outcome(answer);
  assert.equal(said, "10.0.0.1 for 60000 ms");
  assert.equal(asked.length, 1);
});

Deno.test("resolve() takes no answer that comes from another port", async () => {
  const stranger = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  await using server = new DnsStandIn((question) => {
    const { from } = server.asked.at(-1)!;
    const forged = reply(question, { answers: [record("a.test", A, [6, 6, 6, 6])] });
    void stranger.send(forged, { transport: "udp", hostname: "127.0.0.1", port: from });
    return [];
  });
  const client = {
    servers: [{ address: "127.0.0.1", port: server.port }],
    protocol: "udp" as const,
  };
  const asking = resolve(client, "a.test", "A", AbortSignal.timeout(300));
  await assert.rejects(asking, /the DNS server 127\.0\.0\.1:\d+ doesn't answer/);
  stranger.close();
});

Deno.test("resolve() asks again, from another port and with another id, when a question is lost", async () => {
  let lost = 0;
  const answer: Answerer = (question) => lost++ === 0 ? [] : good(question, "udp");
  const { said, asked } = await outcome(answer);
  assert.equal(said, "10.0.0.1 for 60000 ms");
  assert.equal(asked.length, 2);
  assert(asked[0]!.from !== asked[1]!.from || asked[0]!.id !== asked[1]!.id);
});

Deno.test("resolve() goes to the next server when the first is silent or fails", async () => {
  for (const failing of [silent, (question) => [reply(question, { rcode: 2 })]] as Answerer[]) {
    let count = 0;
    const { said, asked } = await outcome(
      (question, protocol) => (count++ === 0 ? failing : good)(question, protocol),
      { servers: 2 },
    );
    assert.equal(said, "10.0.0.1 for 60000 ms");
    assert.equal(asked.length, 2);
  }
});

Deno.test("resolve() tells of an error when all others are silent", async () => {
  let count = 0;
  const broken: Answerer = (question) => count++ === 0 ? [reply(question, { rcode: 2 })] : [];
  const { said, asked } = await outcome(broken, { servers: 2 });
  assert.match(said, /SERVFAIL/);
  assert.equal(asked.length, 2);
});

Deno.test("resolve() asks without EDNS a server that doesn't know it", async () => {
  for (const rcode of [1, 4]) {
    const answer: Answerer = (question, protocol) =>
      question[11] === 1 ? [reply(question, { rcode })] : good(question, protocol);
    const { said, asked } = await outcome(answer);
    assert.equal(said, "10.0.0.1 for 60000 ms");
    assert.equal(asked.length, 2);
  }
});

Deno.test("resolve() follows an alias that the server doesn't follow itself", async () => {
  const answer: Answerer = (question) => {
    const { name } = questionOf(question);
    const next = { "a.test": "b.test", "b.test": "c.test" }[name];
    const alias = next === undefined ? undefined : record(name, 5, wire(next), 20);
    return [reply(question, { answers: [alias ?? record(name, A, one)] })];
  };
  const { said, asked } = await outcome(answer);
  assert.equal(said, "10.0.0.1 for 20000 ms");
  assert.equal(asked.length, 3);
});

Deno.test.each([
  { what: "no records", answers: [], said: " for Infinity ms" },
  { what: "records of others", answers: [record("b.test", A, one)], said: " for Infinity ms" },
  {
    what: "NXDOMAIN",
    rcode: 3,
    said: `DiscoveryError: "a.test" doesn't exist (the DNS server says NXDOMAIN)`,
  },
  {
    what: "SERVFAIL",
    rcode: 2,
    said: `DiscoveryError: "a.test" can't be answered (the DNS server says SERVFAIL)`,
  },
  {
    what: "an error without a name",
    rcode: 11,
    said: `DiscoveryError: "a.test" can't be answered (the DNS server says error 11)`,
  },
  {
    what: "aliases that lead round",
    answers: [record("a.test", 5, wire("b.test")), record("b.test", 5, wire("a.test"))],
    said: `DiscoveryError: "a.test" has aliases (CNAME) that lead round in a circle or too far`,
  },
  {
    what: "an alias that no host has",
    answers: [record("a.test", 5, [2, 97, 32, 0])],
    said: `DiscoveryError: "a.test" leads to a name that can't be: "a\\\\032" has characters ` +
      `that names in DNS don't have\nwrite other alphabets as "xn--…"`,
  },
  {
    what: "a name that points to itself",
    answers: [[0xc0, 24, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, ...one]],
    said: "DiscoveryError: the DNS server 127.0.0.1:PORT: a name points to itself",
  },
])("resolve() ends with what there is to say when it gets $what", async ({ said, ...what }) => {
  assert.equal((await outcome((question) => [reply(question, what)])).said, said);
});

Deno.test("resolve() ends when aliases go on for ever", async () => {
  const answer: Answerer = (question) => {
    const { name } = questionOf(question);
    const next = `n${Number(name.match(/\d+/)?.[0] ?? 0) + 1}.test`;
    return [reply(question, { answers: [record(name, 5, wire(next))] })];
  };
  const { said, asked } = await outcome(answer);
  assert.equal(said, 'DiscoveryError: "a.test" has too many aliases (CNAME)');
  assert(asked.length < 20);
});

Deno.test("resolve() says so when an answer is garbage, or a header that promises 65,535 records", async () => {
  const garbage: Answerer = ([high, low]) => [
    Uint8Array.from([high!, low!, ...Array(500).fill(0xee)]),
  ];
  assert.match((await outcome(garbage)).said, /:PORT: a name is cut off$|unknown sort$|itself$/);
  const promises: Answerer = (question) => {
    const [message] = good(question, "udp");
    message!.set([255, 255, 255, 255, 255, 255], 6);
    return [message!];
  };
  assert.match((await outcome(promises)).said, /:PORT: (a name|it) is cut off$/);
});

Deno.test("resolve() says what happened when TCP fails", async () => {
  const { port } = await unusedPort();
  const client = { servers: [{ address: "127.0.0.1", port }], protocol: "tcp" as const };
  const asked = resolve(client, "a.test", "A", AbortSignal.timeout(5_000));
  await assert.rejects(asked, /^DiscoveryError: the DNS server .*: connection refused$/);
  const short: Answerer = () => [Uint8Array.of()];
  const said = (await outcome(short, { protocol: "tcp" })).said;
  assert.match(said, /:PORT: it is shorter than a header$/);
});

Deno.test("resolve() ends, and leaves nothing open, when its signal aborts", async () => {
  for (const protocol of ["udp", "tcp"] as const) {
    const { said } = await outcome(silent, { protocol, limitMs: 200 });
    assert.equal(said, "DiscoveryError: the DNS server 127.0.0.1:PORT doesn't answer");
  }
  const client = { servers: [{ address: "127.0.0.1", port: 1 }], protocol: "udp" as const };
  await assert.rejects(resolve(client, "a.test", "A", AbortSignal.abort()), /doesn't answer/);
});

Deno.test("resolve() reads the longest answer that TCP can bring", async () => {
  const row = srvRecord("a.test", [1, 2, 3, ""]).slice(wire("a.test").length);
  const rows = Math.floor((65_535 - 24) / (2 + row.length));
  const answers = Array.from({ length: rows }, () => [0xc0, 12, ...row]);
  await using server = new DnsStandIn((question, protocol) => [
    reply(question, protocol === "udp" ? { truncated: true } : { answers }),
  ]);
  const client = {
    servers: [{ address: "127.0.0.1", port: server.port }],
    protocol: "udp" as const,
  };
  const { records } = await resolve(client, "a.test", "SRV", AbortSignal.timeout(5_000));
  assert.equal(records.length, rows);
  assert(rows > 3_000);
});

/** A port that nobody listens on. */
async function unusedPort(): Promise<{ port: number }> {
  await using server = new DnsStandIn(silent);
  return { port: server.port };
}

Deno.test("parseResolvConf() reads what there is, and passes over the rest", () => {
  const text = `# by somebody
nameserver 10.0.0.2 ; first
nameserver fe80::1
nameserver nonsense
domain old.example
search a.example b.example
options rotate ndots:2 timeout:1
sortlist 1.2.3.4
nameserver 10.0.0.3
nameserver 10.0.0.4
`;
  assert.deepEqual(parseResolvConf(text), {
    servers: ["10.0.0.2", "fe80::1", "10.0.0.3"].map((address) => ({ address, port: 53 })),
    search: ["a.example", "b.example"],
    ndots: 2,
  });
  assert.deepEqual(parseResolvConf(""), { servers: [], search: [], ndots: 1 });
});

Deno.test.each([
  { host: "web", names: "web.a web.b web" },
  { host: "web.x", names: "web.x web.x.a web.x.b" },
  { host: "web.", names: "web." },
  { host: "web.x", ndots: 2, names: "web.x.a web.x.b web.x" },
])("candidates() of $host, ndots $ndots: $names", ({ host, ndots = 1, names }) => {
  const conf = { servers: [], search: ["a", "b"], ndots };
  assert.equal(candidates(host, conf).join(" "), names);
});
