/**
 * Spoilt PROXY protocol headers, a million of them. TWIXT_FUZZ_SEED repeats a run, whose seed it prints;
 * TWIXT_FUZZ_RUNS sets how many inputs.
 */
import assert from "node:assert/strict";
import { PROXY_FAULTS } from "../../protocols/proxy_header.ts";
import { type ProxyRead, ProxyReader } from "../../protocols/proxy_reader.ts";
import { V1_MAX_BYTES, writeV1 } from "../../protocols/proxy_v1.ts";
import { V2_MAX_BYTES, writeV2 } from "../../protocols/proxy_v2.ts";
import { fixtures, read, readInPieces } from "../support/proxy_headers.ts";

const SEED = Number(Deno.env.get("TWIXT_FUZZ_SEED") ?? Date.now() % 2 ** 32) >>> 0;
const RUNS = Number(Deno.env.get("TWIXT_FUZZ_RUNS") ?? 1_000_000);

/** What appears in headers, and what is at the edges. */
const TOKENS = [
  ...["PROXY ", "TCP4", "TCP6", "UNKNOWN", " ", "\r\n", "\r", "\n", "0", "65535", "65536", "::"],
  ...["::ffff:10.0.0.1", "255.255.255.255", "%eth0", "\0", "\xff", "\r\n\r\n\0\r\nQUIT\n"],
  ...["\x03\x00\x04\0\0\0\0", "\x04\0\0", "\x20\0\x05\x01\0\0\0\0", "\x21\0\x01a", "\x20", "\x21"],
].map((text) => Uint8Array.from(text, (char) => char.charCodeAt(0)));

/** Numbers from 0 to 2^32 - 1, the same for the same seed (Mulberry32). */
function numbers(seed: number): () => number {
  return () => {
    seed = seed + 0x6d2b79f5 | 0;
    let mixed = Math.imul(seed ^ seed >>> 15, seed | 1);
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61);
    return (mixed ^ mixed >>> 14) >>> 0;
  };
}

/** A header of `corpus` after one to four changes. */
function spoil(corpus: readonly Uint8Array[], next: () => number): Uint8Array {
  let bytes: Uint8Array = corpus[next() % corpus.length]!.slice();
  for (let changes = next() % 4; changes >= 0; changes--) {
    // mostly behind what makes it a header at all
    const start = next() % 16 === 0 ? 0 : Math.min(bytes.length, bytes[0] === 80 ? 6 : 12);
    const at = start + next() % (bytes.length + 1 - start);
    switch (next() % 7) {
      case 0: // a flipped bit
        if (at < bytes.length) bytes[at]! ^= 1 << next() % 8;
        break;
      case 1: // another byte
        if (at < bytes.length) bytes[at] = next();
        break;
      case 2: // a length or count at its edge
        if (at < bytes.length) bytes[at] = [0, 1, 127, 128, 255][next() % 5]!;
        break;
      case 3: // something inserted
        bytes = spliced(bytes, at, at, TOKENS[next() % TOKENS.length]!);
        break;
      case 4: // something cut out
        bytes = spliced(bytes, at, at + next() % 9, new Uint8Array(0));
        break;
      case 5: // its end cut off, or more behind it
        bytes = next() % 2 ? bytes.slice(0, at) : spliced(bytes, bytes.length, bytes.length, bytes);
        break;
      case 6: { // the end of another one
        const other = corpus[next() % corpus.length]!;
        bytes = spliced(bytes, at, bytes.length, other.subarray(next() % (other.length + 1)));
      }
    }
    if (next() % 4 === 0) fitLength(bytes);
  }
  return bytes;
}

function spliced(bytes: Uint8Array, from: number, to: number, between: Uint8Array): Uint8Array {
  const result = new Uint8Array(from + between.length + Math.max(0, bytes.length - to));
  result.set(bytes.subarray(0, from));
  result.set(between, from);
  result.set(bytes.subarray(to), from + between.length);
  return result;
}

/** Makes the length of version 2 right, so that what follows is read. */
function fitLength(bytes: Uint8Array): void {
  if (bytes.length < 16 || bytes[0] !== 13) return;
  bytes[14] = bytes.length - 16 >> 8;
  bytes[15] = bytes.length - 16;
}

function outcome(result: ProxyRead): string {
  if (result === "more") return "more";
  return "wrong" in result ? result.wrong : `version ${result.header.version}`;
}

/** What holds for any input, whatever is said of it. */
function judge(bytes: Uint8Array, next: () => number): string {
  const whole = read(bytes);
  const cuts = next() % 8 === 0
    ? Array.from(bytes, (_, i) => i)
    : [next() % (bytes.length + 1), next() % (bytes.length + 1)];
  assert.deepEqual(readInPieces(bytes, cuts), whole);
  if (whole === "more") {
    assert.ok(bytes.length < (bytes[0] === 80 ? V1_MAX_BYTES : V2_MAX_BYTES));
  } else if ("wrong" in whole) {
    assert.ok(PROXY_FAULTS.includes(whole.wrong));
  } else {
    assert.ok(whole.length <= bytes.length && whole.taken === whole.length);
    judgeHeader(bytes.subarray(0, whole.length), whole);
  }
  return outcome(whole);
}

/** A header without its last byte isn't whole; written anew it says the same. */
function judgeHeader(
  bytes: Uint8Array,
  whole: Exclude<ProxyRead, "more" | { wrong: unknown }>,
): void {
  const reader = new ProxyReader();
  assert.equal(reader.push(bytes.subarray(0, -1)), "more");
  const { source, destination, version, ...rest } = whole.header;
  if (source === undefined || destination === undefined) return;
  const again = read(
    version === 1 ? writeV1(source, destination) : writeV2({ ...rest, source, destination }),
  );
  assert.ok(typeof again === "object" && "header" in again);
  assert.deepEqual(again.header.source, source);
  assert.deepEqual(again.header.destination, destination);
  assert.deepEqual(again.header.uniqueId, rest.uniqueId);
}

Deno.test(`${RUNS} spoilt PROXY headers are judged the same however they come, seed ${SEED}`, async () => {
  console.log(`TWIXT_FUZZ_SEED=${SEED}`);
  const next = numbers(SEED);
  const corpus = (await fixtures()).map(({ bytes }) => bytes);
  const counts: Record<string, number> = {};
  for (let run = 0; run < RUNS; run++) {
    const bytes = spoil(corpus, next);
    try {
      const said = judge(bytes, next);
      counts[said] = (counts[said] ?? 0) + 1;
    } catch (cause) {
      throw new Error(`seed ${SEED}, input ${run}: ${bytes.toHex()}`, { cause });
    }
  }
  console.log(counts);
  const missing = ["more", "version 1", "version 2", ...PROXY_FAULTS].filter((said) =>
    !counts[said]
  );
  assert.deepEqual(missing, [], "the inputs don't reach every outcome");
});
