import assert from "node:assert/strict";
import fc from "fast-check";
import { PROXY_FAULTS } from "../../../protocols/proxy_header.ts";
import { ProxyReader } from "../../../protocols/proxy_reader.ts";
import { writeV1 } from "../../../protocols/proxy_v1.ts";
import { writeV2 } from "../../../protocols/proxy_v2.ts";
import { endpoints, fixtures, read, readInPieces, v2Options } from "../../support/proxy_headers.ts";

const recorded = await fixtures();

/** Headers that are right, of both versions. */
const headers = fc.oneof(
  fc.tuple(endpoints, endpoints).map(([source, destination]) => writeV1(source, destination)),
  v2Options.map(writeV2),
  fc.constantFrom(...recorded.map(({ bytes }) => bytes)),
);

/** Where to cut some bytes. */
const cuts = fc.array(fc.nat(1_000), { maxLength: 20 });

/** Right headers with a byte changed, and bytes of all sorts behind them. */
const spoilt = fc.tuple(headers, fc.nat(1_000), fc.nat(255), fc.uint8Array()).map(
  ([header, at, byte, rest]) => Uint8Array.of(...header.with(at % header.length, byte), ...rest),
);

Deno.test.each(recorded)("a reader takes $name and nothing of what follows", ({ bytes }) => {
  const inside = new TextEncoder().encode("PROXY, said the protocol inside");
  const result = read(Uint8Array.of(...bytes, ...inside));
  assert.ok(typeof result === "object" && "header" in result);
  assert.equal(result.length, bytes.length);
  assert.equal(result.taken, bytes.length);
});

Deno.test("a reader says how much of the last segment was the header's", () => {
  const header = writeV1();
  const reader = new ProxyReader();
  assert.equal(reader.push(header.subarray(0, 10)), "more");
  assert.equal(reader.push(new Uint8Array(0)), "more");
  const result = reader.push(Uint8Array.of(...header.subarray(10), 1, 2, 3));
  assert.deepEqual(result, { header: { version: 1, local: false }, length: 15, taken: 5 });
  assert.equal(reader.push(Uint8Array.of(1)), result);
});

Deno.test("a reader wants more of any header that isn't whole", () => {
  fc.assert(fc.property(headers, (header) => {
    const reader = new ProxyReader();
    for (let i = 0; i + 1 < header.length; i++) {
      assert.equal(reader.push(header.subarray(i, i + 1)), "more");
    }
    assert.ok(typeof reader.push(header.subarray(-1)) === "object");
  }));
});

Deno.test("a reader says the same however the bytes are cut", () => {
  const bytes = fc.oneof(headers, spoilt, fc.uint8Array({ maxLength: 300 }));
  fc.assert(
    fc.property(bytes, cuts, (bytes, cuts) => {
      const whole = read(bytes);
      assert.deepEqual(readInPieces(bytes, cuts.map((cut) => cut % (bytes.length + 1))), whole);
    }),
    { numRuns: 1_000 },
  );
});

Deno.test.each(recorded)(
  "a reader says the same of $name with a wrong byte anywhere, cut anywhere",
  ({ bytes }) => {
    for (let at = 0; at < bytes.length; at++) {
      for (const byte of [0, 13, 32, 255 - bytes[at]!]) {
        const wrong = bytes.with(at, byte);
        const whole = read(wrong);
        for (let cut = 0; cut <= bytes.length; cut++) {
          assert.deepEqual(readInPieces(wrong, [cut]), whole);
        }
      }
    }
  },
);

Deno.test("a reader never throws and knows no other faults, whatever comes", () => {
  fc.assert(
    fc.property(fc.oneof(spoilt, fc.uint8Array({ maxLength: 300 })), (bytes) => {
      const result = read(bytes);
      if (result === "more") return;
      if ("wrong" in result) assert.ok(PROXY_FAULTS.includes(result.wrong));
      else assert.ok(result.length <= bytes.length);
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("a first byte that begins no header is not_proxy at once", () => {
  for (let byte = 0; byte < 256; byte++) {
    const begins = byte === 13 || byte === 80; // CR, P
    assert.deepEqual(read(Uint8Array.of(byte)), begins ? "more" : { wrong: "not_proxy" });
  }
});

Deno.test.each(recorded)(
  "a wrong byte in the first of $name is not_proxy at that byte",
  ({ name, bytes }) => {
    for (let at = 0; at < (name.startsWith("v1") ? 6 : 12); at++) {
      const wrong = bytes.with(at, 1).subarray(0, at + 1);
      assert.deepEqual(read(wrong), { wrong: "not_proxy" });
    }
  },
);
