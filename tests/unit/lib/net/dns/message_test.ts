import assert from "node:assert/strict";
import fc from "fast-check";
import { follow } from "../../../../../lib/net/dns/follow.ts";
import {
  answersTo,
  decodeMessage,
  type DnsRecord,
  encodeQuestion,
  type Question,
  type RecordType,
  TYPES,
} from "../../../../../lib/net/dns/message.ts";
import {
  canonical,
  encodeName,
  faultOfName,
  MalformedError,
  readName,
} from "../../../../../lib/net/dns/name.ts";
import { record, reply, srvRecord } from "../../../../support/dns_stand_in.ts";

const label = fc.stringMatching(/^[a-zA-Z0-9_*\/-]{1,63}$/);
const name = fc.array(label, { minLength: 1, maxLength: 12 }).map((labels) => labels.join("."))
  .filter((text) => text.length <= 253);
const byte = fc.integer({ min: 0, max: 255 });
const types = Object.keys(TYPES) as RecordType[];

/**
 * What dnsmasq 2.90 answers to encodeQuestion({ id: 0x1a2b, name: "_web._tcp.test", type: "SRV", edns: true }) when started with
 * `--local=/test/ --local-ttl=7 --host-record=a.test,10.0.0.1 --srv-host=_web._tcp.test,a.test,80,10,5`.
 */
const RECORDED = `
  1a2b 8580 0001 0001 0000 0002
  04 5f776562 04 5f746370 04 74657374 00 0021 0001
  c00c 0021 0001 00000007 000e 000a 0005 0050 01 61 04 74657374 00
  c032 0001 0001 00000007 0004 0a000001
  00 0029 04d0 0000 0000 0000`;

Deno.test("decodeMessage() reads an answer that dnsmasq gave", () => {
  const message = decodeMessage(hex(RECORDED));
  const row = { name: "_web._tcp.test", ttlSeconds: 7, type: "SRV" as const };
  assert.deepEqual(message, {
    id: 0x1a2b,
    response: true,
    truncated: false,
    rcode: 0,
    questions: [{ name: "_web._tcp.test", type: 33, class: 1 }],
    answers: [{ ...row, priority: 10, weight: 5, port: 80, target: "a.test" }],
    additional: [{ name: "a.test", ttlSeconds: 7, type: "A", address: "10.0.0.1" }],
  });
  assert(answersTo(message, { id: 0x1a2b, name: "_WEB._tcp.test.", type: "SRV", edns: true }));
});

Deno.test("names come back as they went, in lower case", () => {
  fc.assert(fc.property(name, fc.boolean(), (text, dot) => {
    const bytes = encodeName(dot ? `${text}.` : text);
    assert(bytes.length <= 255);
    assert.deepEqual(readName(bytes, 0), { name: canonical(text), next: bytes.length });
  }));
});

Deno.test("questions come back as they went, and only their own answer answers them", () => {
  const id = fc.integer({ min: 0, max: 65_535 });
  const type = fc.constantFrom(...types);
  fc.assert(fc.property(id, name, type, fc.boolean(), (id, name, type, edns) => {
    const question: Question = { id, name, type, edns };
    const bytes = encodeQuestion(question);
    const { questions, response } = decodeMessage(bytes);
    assert.deepEqual(questions, [{ name: canonical(name), type: TYPES[type], class: 1 }]);
    assert.equal(response, false);
    assert(!answersTo(decodeMessage(bytes), question), "a question is no answer");
    const answer = decodeMessage(reply(bytes, {}));
    assert(answersTo(answer, question));
    assert(!answersTo(answer, { ...question, id: id ^ 1 }));
    assert(!answersTo(answer, { ...question, name: `x.${name}` }));
    assert(!answersTo(answer, { ...question, type: type === "A" ? "SRV" : "A" }));
  }));
});

Deno.test("decodeMessage() reads any bytes, or says that they are malformed", () => {
  const header = fc.tuple(
    fc.constantFrom([1, 2, 0x81, 0x80], [1, 2, 0x83, 0x80]),
    fc.constantFrom([0, 1, 0, 1, 0, 0, 0, 1], [0, 0, 255, 255, 255, 255, 255, 255]),
  ).map((parts) => parts.flat());
  // bytes that mean something to the format come more often
  const body = fc.array(fc.oneof(byte, fc.constantFrom(0, 1, 4, 12, 16, 33, 0xc0, 0xff)), {
    maxLength: 300,
  });
  fc.assert(
    fc.property(fc.oneof(fc.array(byte), header), body, (head, body) => {
      const bytes = Uint8Array.from([...head, ...body]);
      try {
        const { answers, additional } = decodeMessage(bytes);
        assert(answers.length + additional.length <= bytes.length / 11);
      } catch (error) {
        assert(error instanceof MalformedError, String(error));
      }
    }),
    { numRuns: 3_000 },
  );
});

Deno.test("decodeMessage() finds every cut of an answer malformed", () => {
  const whole = hex(RECORDED);
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => decodeMessage(whole.subarray(0, length)), MalformedError, String(length));
  }
});

Deno.test("decodeMessage() survives an answer with any byte changed", () => {
  const whole = hex(RECORDED);
  fc.assert(fc.property(fc.nat(whole.length - 1), byte, (at, value) => {
    const bytes = whole.slice();
    bytes[at] = value;
    try {
      decodeMessage(bytes);
    } catch (error) {
      assert(error instanceof MalformedError, String(error));
    }
  }));
});

Deno.test.each([
  { what: "to itself", bytes: "c000", message: /points to itself/ },
  { what: "forward", bytes: "c002 00", message: /points to itself/ },
  { what: "round in a circle", bytes: "01 61 c000", at: 2, message: /points to itself/ },
  { what: "nowhere", bytes: "c0", message: /cut off/ },
])("readName() refuses a name that points $what", ({ bytes, at = 0, message }) => {
  assert.throws(() => readName(hex(bytes), at), message);
});

Deno.test("readName() refuses pointers without end, names too long and labels of other sorts", () => {
  const chain = Uint8Array.from([0, 0, ...pairs(2_000, (i) => [0xc0 + (i >> 7), 2 * i & 255])]);
  assert.throws(() => readName(chain, 4_000), /points to itself/);
  const long = Uint8Array.from(pairs(200, () => [1, 97]));
  assert.throws(() => readName(long, 0), /too long/);
  assert.throws(() => readName(hex("41 00"), 0), /unknown sort/);
  assert.throws(() => readName(hex("05 61"), 0), /cut off/);
  assert.equal(readName(hex("04 612e5c20 00"), 0).name, "a\\046\\092\\032");
});

Deno.test("faultOfName() finds what no name in DNS has", () => {
  const faults: readonly (readonly [string, RegExp])[] = [
    ["a..b", /has an empty part/],
    ["", /has an empty part/],
    [".", /has an empty part/],
    ["a b", /characters that names in DNS don't have\nwrite other alphabets as/],
    ["bücher.example", /characters/],
    ["a\\.b", /characters/],
    ["x".repeat(64), /more than 63/],
    ["x.".repeat(128), /too long/],
  ];
  for (const [name, fault] of faults) assert.match(faultOfName(name) ?? "none", fault);
  for (const name of ["x.".repeat(127), "_web._tcp.example.com.", "x".repeat(63)]) {
    assert.equal(faultOfName(name), undefined);
  }
});

Deno.test("decodeMessage() passes over other types and classes, and reads all of ours", () => {
  const question = encodeQuestion({ id: 1, name: "a.test", type: "A", edns: false });
  const answers = [
    record("a.test", 16, [5, 104, 101, 108, 108, 111]),
    record("a.test", 46, [0, 1, 2]),
    record("a.test", 5, [1, 98, 0xc0, 14]),
    record("b.test", 28, [...Array(15).fill(0), 1]),
    srvRecord("s.test", [65_535, 0, 80, ""]),
  ];
  const chaos = record("a.test", 1, [1, 2, 3, 4]);
  chaos[chaos.length - 11] = 3;
  const read = decodeMessage(reply(question, { answers: [...answers, chaos] })).answers;
  assert.deepEqual(read.map(({ name: _name, ttlSeconds: _ttl, ...rest }) => rest), [
    { type: "CNAME", target: "b.test" },
    { type: "AAAA", address: "::1" },
    { type: "SRV", priority: 65_535, weight: 0, port: 80, target: "" },
  ]);
});

Deno.test("decodeMessage() refuses records of the wrong length", () => {
  const question = encodeQuestion({ id: 1, name: "a.test", type: "A", edns: false });
  const wrong = [
    record("a.test", 1, [1, 2, 3]),
    record("a.test", 28, [1, 2, 3, 4]),
    record("a.test", 33, [0, 0, 0, 0, 0]),
    record("a.test", 5, [0, 0]),
  ];
  for (const answer of wrong) {
    assert.throws(() => decodeMessage(reply(question, { answers: [answer] })), MalformedError);
  }
});

Deno.test("decodeMessage() leaves out the records of what was cut off, wherever that was", () => {
  const question = encodeQuestion({ id: 1, name: "a.test", type: "A", edns: false });
  const whole = reply(question, { answers: [record("a.test", 1, [1, 2, 3, 4])], truncated: true });
  const { truncated, answers } = decodeMessage(whole.subarray(0, whole.length - 3));
  assert.deepEqual({ truncated, answers }, { truncated: true, answers: [] });
});

Deno.test("decodeMessage() takes the upper bits of an error from OPT", () => {
  const question = encodeQuestion({ id: 1, name: "a.test", type: "A", edns: false });
  const opt = [0, 0, 41, 4, 208, 1, 0, 0, 0, 0, 0];
  assert.equal(decodeMessage(reply(question, { additional: [opt] })).rcode, 16);
});

const A = (name: string, ttlSeconds = 60): DnsRecord => ({
  ...{ type: "A", name, ttlSeconds, address: "10.0.0.1" },
});
const alias = (name: string, target: string, ttlSeconds = 60): DnsRecord => ({
  ...{ type: "CNAME", name, target, ttlSeconds },
});

Deno.test("follow() goes along aliases, and knows the shortest TTL of all", () => {
  const answers = [A("c", 40), alias("b", "c", 30), alias("a", "b", 50), A("x", 1)];
  assert.deepEqual(follow(answers, "a", "A"), {
    ...{ records: [A("c", 40)], ttlSeconds: 30, aliases: 2, name: "c" },
  });
  const open = { records: [], ttlSeconds: 50, aliases: 1, name: "b" };
  assert.deepEqual(follow([alias("a", "b", 50)], "a", "A"), open);
  assert.equal(follow([], "a", "A").aliases, 0);
});

Deno.test("follow() refuses aliases that lead round", () => {
  assert.throws(() => follow([alias("a", "b"), alias("b", "a")], "a", "A"), /in a circle/);
  assert.throws(() => follow([alias("a", "a")], "a", "A"), /in a circle/);
});

function hex(text: string): Uint8Array {
  return Uint8Array.from(text.replace(/\s/g, "").match(/../g)!, (two) => parseInt(two, 16));
}

function pairs(count: number, pair: (i: number) => number[]): number[] {
  return Array.from({ length: count }, (_, i) => pair(i)).flat();
}
