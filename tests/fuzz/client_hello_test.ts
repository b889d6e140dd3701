/**
 * Random bytes for the ClientHello reader. $TWIXT_FUZZ_SEED repeats a run, $TWIXT_FUZZ_INPUTS sets how many inputs it
 * takes (1,000,000); the same seed and number make the same inputs.
 */
import assert from "node:assert/strict";
import { isIP } from "node:net";
import {
  type ClientHello,
  ClientHelloReader,
  HELLO_FAULTS,
  type HelloResult,
  MAX_HELLO_BYTES,
} from "../../protocols/client_hello.ts";
import { seeded } from "../support/clock.ts";
import { counted, helloFixtures } from "../support/client_hello.ts";
import { Mutator } from "./_mutate.ts";

const seed = Number(Deno.env.get("TWIXT_FUZZ_SEED") ?? Math.floor(Math.random() * 2 ** 32));
const inputs = Number(Deno.env.get("TWIXT_FUZZ_INPUTS") ?? 1_000_000);

/** Every so many inputs one is read a byte at a time, and one is watched for how often its bytes are looked at. */
const SLOW_EVERY = 1024;
const MAX_LOOKS_A_BYTE = 6;

Deno.test("the ClientHello reader keeps its promises for mutated hellos", () => {
  console.log(`TWIXT_FUZZ_SEED=${seed} TWIXT_FUZZ_INPUTS=${inputs}`);
  const mutator = new Mutator(helloFixtures().map(({ bytes }) => bytes));
  const seen = new Map<string, number>();
  for (let i = 0; i < inputs; i++) {
    const random = seeded(seed + Math.imul(i, 0x9e3779b1));
    const bytes = mutator.variant(random);
    try {
      const kind = judge(bytes, random, i % SLOW_EVERY === 0);
      seen.set(kind, (seen.get(kind) ?? 0) + 1);
    } catch (error) {
      throw new Error(`input ${i} of seed ${seed}: ${bytes.toHex()}`, { cause: error });
    }
  }
  console.log(Object.fromEntries(seen));
  // else the mutations have become too wild or too tame to find anything
  for (const kind of ["hello", "more", ...HELLO_FAULTS]) {
    assert.ok((seen.get(kind) ?? 0) >= inputs / 1000, `too few inputs are "${kind}"`);
  }
});

/** Checks all that must hold for one input, and tells what it was read as. */
function judge(bytes: Uint8Array, random: () => number, slow: boolean): string {
  const whole = new ClientHelloReader();
  const result = whole.read(bytes);
  const { consumed } = whole;
  assert.ok(consumed <= bytes.length && consumed <= MAX_HELLO_BYTES);
  if (result === "more") assert.ok(bytes.length < MAX_HELLO_BYTES);

  const reader = readInSegments(bytes, random, slow);
  same(reader.read(bytes), result);
  assert.equal(reader.consumed, consumed);
  if (slow) assert.ok(looks(bytes) <= MAX_LOOKS_A_BYTE * bytes.length + 100);

  if (result === "more" || "wrong" in result) {
    if (result !== "more") assert.ok(HELLO_FAULTS.includes(result.wrong));
    return result === "more" ? result : result.wrong;
  }
  plausible(result.hello);
  // the hello needs its last byte, and none behind it
  assert.equal(new ClientHelloReader().read(bytes.subarray(0, consumed - 1)), "more");
  same(new ClientHelloReader().read(bytes.subarray(0, consumed)), result);
  return "hello";
}

function readInSegments(bytes: Uint8Array, random: () => number, slow: boolean): ClientHelloReader {
  const reader = new ClientHelloReader();
  const most = slow ? 1 : 1 + Math.floor(random() * bytes.length);
  let before: HelloResult = "more";
  for (let end = 0, consumed = 0; end < bytes.length;) {
    end = Math.min(bytes.length, end + 1 + Math.floor(random() * most));
    const result = reader.read(bytes.subarray(0, end));
    if (before !== "more") assert.equal(result, before);
    assert.ok(reader.consumed >= consumed && reader.consumed <= end);
    consumed = reader.consumed;
    before = result;
  }
  return reader;
}

/** How often bytes are looked at when they come one at a time. */
function looks(bytes: Uint8Array): number {
  const { upTo, looks } = counted(bytes);
  const reader = new ClientHelloReader();
  for (let end = 1; end <= bytes.length; end++) reader.read(upTo(end));
  return looks();
}

function same(actual: HelloResult, expected: HelloResult): void {
  if (JSON.stringify(actual) !== JSON.stringify(expected)) assert.deepEqual(actual, expected);
}

function plausible({ serverName, alpn, newest }: ClientHello): void {
  if (serverName !== undefined) {
    assert.match(serverName, /^[a-z0-9_.-]{1,253}$/);
    assert.doesNotMatch(serverName, /^\.|\.\.|\.$/);
    assert.equal(isIP(serverName), 0);
  }
  for (const protocol of alpn) assert.match(protocol, /^[!-~]{1,255}$/);
  assert.ok([undefined, "tls1", "tls1.1", "tls1.2", "tls1.3"].includes(newest));
}
