import assert from "node:assert/strict";
import { type Asked, Silence } from "../../../protocols/udp_silence.ts";

/** The backend in a slot. */
function backend(slot: number, port = 53): Asked {
  return { slot, address: "10.0.0.1", port };
}

const LIMITS = { maxUnanswered: 3, answerMs: 1_000 };

/** A server one of whose backends has answered once: its protocol knows answers. */
function speaking(limits = LIMITS): Silence {
  const silence = new Silence(limits);
  silence.asked(backend(1), 0);
  silence.answered(backend(1));
  return silence;
}

Deno.test("Silence: a backend fails that leaves enough requests unanswered for long enough", () => {
  const silence = speaking();
  for (let i = 0; i < 10; i++) assert.equal(silence.asked(backend(2), 100 + i), false); // not for long yet
  assert.equal(silence.some(200), false);
  assert.equal(silence.asked(backend(2), 1_099), false);
  assert.equal(silence.asked(backend(2), 1_100), true);
  assert.equal(silence.failed(backend(2), 1_101), true);
  assert.equal(silence.failed(backend(1), 1_101), false);
  assert.equal(silence.some(1_101), true);
  assert.equal(silence.asked(backend(2), 1_102), false, "it fails once");
});

Deno.test("Silence: few requests are no failure, however long they stay unanswered", () => {
  const silence = speaking();
  for (let i = 0; i < 3; i++) assert.equal(silence.asked(backend(2), i * 100_000), false);
  assert.equal(silence.asked(backend(2), 300_000), true);
});

Deno.test("Silence: an answer ends it, and a backend that has failed is tried again later", () => {
  const silence = speaking();
  const fail = (from: number) => {
    for (let i = 0; i < 3; i++) silence.asked(backend(2), from);
    return silence.asked(backend(2), from + 1_000);
  };
  assert.equal(fail(0), true);
  assert.equal(silence.failed(backend(2), 2_999), true);
  assert.equal(silence.failed(backend(2), 3_000), false, "twice as long");
  assert.equal(silence.some(3_000), false);
  assert.equal(fail(3_000), true);
  silence.answered(backend(2)); // late, but it lives
  assert.equal(silence.failed(backend(2), 4_001), false);
  for (let i = 0; i < 3; i++) silence.asked(backend(2), 5_000);
  silence.answered(backend(2));
  assert.equal(silence.asked(backend(2), 9_000), false, "only requests in a row count");
});

Deno.test("Silence: where nobody ever answers, nobody fails", () => {
  const silence = new Silence(LIMITS);
  for (let i = 0; i < 100; i++) assert.equal(silence.asked(backend(2), i * 1_000), false);
});

Deno.test("Silence: with 0 nobody fails", () => {
  const silence = speaking({ maxUnanswered: 0, answerMs: 1_000 });
  for (let i = 0; i < 100; i++) assert.equal(silence.asked(backend(2), i * 1_000), false);
});

Deno.test("Silence: who can't be sent to has failed at once", () => {
  const silence = new Silence(LIMITS);
  silence.unreachable(backend(2), 5_000);
  assert.equal(silence.failed(backend(2), 5_001), true);
  assert.equal(silence.failed(backend(2), 7_000), false);
});

Deno.test("Silence: whoever gets the slot of one that has failed isn't taken for it", () => {
  const silence = speaking();
  silence.unreachable(backend(2), 0);
  assert.equal(silence.failed(backend(2), 1), true);
  assert.equal(silence.failed(backend(2, 54), 1), false);
  silence.asked(backend(2, 54), 1);
  assert.equal(silence.failed(backend(2), 2), false, "it is the other's now");
});
