import assert from "node:assert/strict";
import { Silence } from "../../../protocols/udp_silence.ts";

const LIMITS = { maxUnanswered: 3, answerMs: 1_000 };

/** A server one of whose backends has answered once: its protocol knows answers. */
function speaking(limits = LIMITS): Silence {
  const silence = new Silence(limits);
  silence.asked(1, 0);
  silence.answered(1);
  return silence;
}

Deno.test("Silence: a backend fails that leaves enough requests unanswered for long enough", () => {
  const silence = speaking();
  for (let i = 0; i < 10; i++) assert.equal(silence.asked(2, 100 + i), false); // not for long yet
  assert.deepEqual(silence.all(200), []);
  assert.equal(silence.asked(2, 1_099), false);
  assert.equal(silence.asked(2, 1_100), true);
  assert.equal(silence.failed(2, 1_101), true);
  assert.equal(silence.failed(1, 1_101), false);
  assert.deepEqual(silence.all(1_101), [2]);
  assert.equal(silence.asked(2, 1_102), false, "it fails once");
});

Deno.test("Silence: few requests are no failure, however long they stay unanswered", () => {
  const silence = speaking();
  for (let i = 0; i < 3; i++) assert.equal(silence.asked(2, i * 100_000), false);
  assert.equal(silence.asked(2, 300_000), true);
});

Deno.test("Silence: an answer ends it, and a backend that has failed is tried again later", () => {
  const silence = speaking();
  const fail = (from: number) => {
    for (let i = 0; i < 3; i++) silence.asked(2, from);
    return silence.asked(2, from + 1_000);
  };
  assert.equal(fail(0), true);
  assert.equal(silence.failed(2, 2_999), true);
  assert.equal(silence.failed(2, 3_000), false, "twice as long");
  assert.deepEqual(silence.all(3_000), []);
  assert.equal(fail(3_000), true);
  silence.answered(2); // late, but it lives
  assert.equal(silence.failed(2, 4_001), false);
  for (let i = 0; i < 3; i++) silence.asked(2, 5_000);
  silence.answered(2);
  assert.equal(silence.asked(2, 9_000), false, "only requests in a row count");
});

Deno.test("Silence: where nobody ever answers, nobody fails", () => {
  const silence = new Silence(LIMITS);
  for (let i = 0; i < 100; i++) assert.equal(silence.asked(2, i * 1_000), false);
});

Deno.test("Silence: with 0 nobody fails", () => {
  const silence = speaking({ maxUnanswered: 0, answerMs: 1_000 });
  for (let i = 0; i < 100; i++) assert.equal(silence.asked(2, i * 1_000), false);
});

Deno.test("Silence: who can't be sent to has failed at once", () => {
  const silence = new Silence(LIMITS);
  silence.unreachable(2, 5_000);
  assert.equal(silence.failed(2, 5_001), true);
  assert.equal(silence.failed(2, 7_000), false);
});
