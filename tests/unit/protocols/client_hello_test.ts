import assert from "node:assert/strict";
import fc from "fast-check";
import {
  ClientHelloReader,
  HELLO_FAULTS,
  type HelloResult,
  MAX_HELLO_BYTES,
} from "../../../protocols/client_hello.ts";
import {
  codes,
  counted,
  extension,
  fromRecords,
  helloFixtures,
  helloMessage,
  helloWith,
  inRecords,
} from "../../support/client_hello.ts";

const fixtures = helloFixtures();
const PLAIN = { serverName: undefined, alpn: [], newest: "tls1.2" } as const;

function read(bytes: Uint8Array): HelloResult {
  return new ClientHelloReader().read(bytes);
}

/** A hello of exactly this many bytes in one record. */
function sized(bytes: number): Uint8Array {
  const empty = helloWith(extension(21, [])).length;
  return helloWith(extension(21, new Array(bytes - empty).fill(0)));
}

Deno.test.each(fixtures)("the hello of $name is read as by Go's TLS", ({ bytes, hello }) => {
  const reader = new ClientHelloReader();
  assert.deepEqual(reader.read(bytes), { hello });
  assert.equal(reader.consumed, bytes.length);
});

Deno.test("fixtures: there are some of post-quantum size, in several records, and before TLS 1.2", () => {
  assert.ok(fixtures.filter(({ bytes }) => bytes.length > 1200).length >= 2);
  assert.ok(fixtures.some(({ bytes }) => fromRecords(bytes).length < bytes.length - 10));
  assert.ok(fixtures.some(({ hello }) => hello.newest === "tls1"));
});

Deno.test.each(fixtures)(
  "$name, one byte at a time, is `more` before its last",
  ({ bytes, hello }) => {
    const reader = new ClientHelloReader();
    for (let end = 0; end < bytes.length; end++) {
      assert.equal(reader.read(bytes.subarray(0, end)), "more");
      assert.equal(read(bytes.subarray(0, end)), "more");
    }
    assert.deepEqual(reader.read(bytes), { hello });
  },
);

const aFixture = fc.constantFrom(...fixtures);
const sizes = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 8 });

Deno.test("a hello is the same in any segments, any records, and any buffer", () => {
  fc.assert(fc.property(aFixture, sizes, sizes, fc.integer({ min: 1, max: 4 }), (...drawn) => {
    const [{ bytes, hello }, segments, fragments, minor] = drawn;
    const sent = inRecords(fromRecords(bytes), fragments, minor);
    fc.pre(sent.length <= MAX_HELLO_BYTES);
    const reader = new ClientHelloReader();
    let result: HelloResult = "more";
    for (let end = 0, i = 0; end < sent.length; i++) {
      assert.equal(result, "more");
      end = Math.min(sent.length, end + segments[i % segments.length]!);
      result = reader.read(sent.slice(0, end));
    }
    assert.deepEqual(result, { hello });
  }));
});

Deno.test("any bytes, behind any part of a real hello, are read without an error, and once decided it stays", () => {
  const noise = fc.uint8Array({ maxLength: 600 });
  fc.assert(fc.property(aFixture, fc.nat(), noise, noise, (fixture, cut, bytes, later) => {
    const start = fixture.bytes.subarray(0, cut % fixture.bytes.length);
    const reader = new ClientHelloReader();
    const first = reader.read(Uint8Array.from([...start, ...bytes]));
    if (typeof first !== "string" && "wrong" in first) {
      assert.ok(HELLO_FAULTS.includes(first.wrong));
    }
    const second = reader.read(Uint8Array.from([...start, ...bytes, ...later]));
    if (first !== "more") assert.equal(second, first);
    assert.equal(reader.read(new Uint8Array(0)), second);
  }));
});

Deno.test("work is linear: one byte at a time in records of one byte, each byte is looked at a few times", () => {
  const bytes = inRecords(fromRecords(sized(2700)), [1]);
  assert.ok(bytes.length > MAX_HELLO_BYTES - 300 && bytes.length <= MAX_HELLO_BYTES);
  const { upTo, looks } = counted(bytes);
  const reader = new ClientHelloReader();
  for (let end = 1; end < bytes.length; end++) assert.equal(reader.read(upTo(end)), "more");
  assert.deepEqual(reader.read(upTo(bytes.length)), { hello: PLAIN });
  assert.ok(looks() < 6 * bytes.length, `${looks()} looks at ${bytes.length} bytes`);
});

Deno.test("work is linear: in one record, no byte of the message is looked at before its last has come", () => {
  const { upTo, looks } = counted(sized(16_000));
  const reader = new ClientHelloReader();
  for (let end = 1; end < 16_000; end++) assert.equal(reader.read(upTo(end)), "more");
  assert.ok(looks() <= 25, `${looks()} looks`);
  assert.deepEqual(reader.read(upTo(16_000)), { hello: PLAIN });
  assert.ok(looks() < 100, `${looks()} looks`);
});

Deno.test.each([
  { what: "HTTP", bytes: codes("GET / HTTP/1.1\r\n"), after: 1 },
  { what: "SSH", bytes: codes("SSH-2.0-x\r\n"), after: 1 },
  { what: "a hello of SSL 2.0", bytes: [0x80, 0x2e, 1, 3, 1], after: 1 },
  { what: "an alert", bytes: [21, 3, 1, 0, 2, 1, 0], after: 1 },
  { what: "22 of another protocol", bytes: [22, 4, 1], after: 2 },
  { what: "DTLS", bytes: [22, 254, 253], after: 2 },
  { what: "a record of SSL 3.0", bytes: [22, 3, 0, 0, 50], after: 3 },
  { what: "a record of a version to come", bytes: [22, 3, 5, 0, 50], after: 3 },
])("$what is not_tls at its byte $after", ({ bytes, after }) => {
  const reader = new ClientHelloReader();
  const sent = Uint8Array.from(bytes);
  assert.equal(reader.read(sent.subarray(0, after - 1)), "more");
  assert.deepEqual(reader.read(sent.subarray(0, after)), { wrong: "not_tls" });
  assert.deepEqual(read(sent), { wrong: "not_tls" });
});

/** A plain hello in records of 20 bytes, the second of them changed. */
const second = (change: (bytes: Uint8Array) => void) => {
  const changed = inRecords(helloMessage(), [20]);
  change(changed.subarray(25));
  return changed;
};
Deno.test.each([
  { what: "an empty record", bytes: Uint8Array.of(22, 3, 1, 0, 0) },
  { what: "a record longer than 16 KiB", bytes: Uint8Array.of(22, 3, 1, 0x40, 1) },
  { what: "another handshake message", bytes: Uint8Array.of(22, 3, 1, 0, 4, 2) },
  { what: "an alert inside", bytes: second((record) => record[0] = 21) },
  { what: "another second version", bytes: second((record) => record[1] = 2) },
  { what: "an empty second record", bytes: second((record) => record.fill(0, 3, 5)) },
])("$what is malformed", ({ bytes }) => {
  assert.deepEqual(read(bytes), { wrong: "malformed" });
});

Deno.test("what follows the hello isn't looked at: in its record, in half a record, in another", () => {
  const message = helloMessage();
  const long = Uint8Array.from([...message, 11, 0, 0, 1, 0]);
  for (const sent of [inRecords(long), inRecords(long, [7]), inRecords(long).subarray(0, -2)]) {
    const reader = new ClientHelloReader();
    assert.deepEqual(reader.read(Uint8Array.from([...sent, 255, 255])), { hello: PLAIN });
    assert.ok(reader.consumed < sent.length);
  }
});

Deno.test("a hello may end with byte 16,384, not later", () => {
  assert.deepEqual(read(sized(MAX_HELLO_BYTES)), { hello: PLAIN });
  const larger = sized(MAX_HELLO_BYTES + 1);
  assert.equal(read(larger.subarray(0, 8)), "more");
  // known from its length, with no need for its bytes
  assert.deepEqual(read(larger.subarray(0, 9)), { wrong: "too_large" });
});

Deno.test("small records count: a hello that isn't whole by byte 16,384 is too_large", () => {
  const sent = inRecords(fromRecords(sized(4000)), [1]);
  const reader = new ClientHelloReader();
  assert.equal(reader.read(sent.subarray(0, MAX_HELLO_BYTES - 1)), "more");
  assert.deepEqual(reader.read(sent.subarray(0, MAX_HELLO_BYTES)), { wrong: "too_large" });
  assert.ok(reader.consumed <= MAX_HELLO_BYTES);
  assert.deepEqual(read(sent), { wrong: "too_large" });
});
