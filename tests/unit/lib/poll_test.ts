import assert from "node:assert/strict";
import { poll, type PollOptions } from "../../../lib/poll.ts";
import { ManualClock, settle } from "../../support/clock.ts";

/** A loop on a manual clock whose questions are answered by `answers`, one after the other. */
function setUp(answers: (number | Error)[], options: Partial<PollOptions<number>> = {}) {
  const clock = new ManualClock();
  const stop = new AbortController();
  const got: string[] = [];
  const ended = poll<number>({
    intervalMs: 10_000,
    timeoutMs: 60_000,
    clock,
    random: () => 0,
    signal: stop.signal,
    ask: () => {
      const answer = answers.shift();
      if (answer === undefined) return new Promise(() => {});
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
    onAnswer: (answer) => {
      got.push(`${clock.now()}: ${answer}`);
    },
    onFailure: (error) => {
      got.push(`${clock.now()}: ${(error as Error).message}`);
    },
    ...options,
  });
  return { clock, stop, got, ended };
}

Deno.test("poll() asks at once, then each interval", async () => {
  const { clock, stop, got, ended } = setUp([1, 2, 3]);
  await clock.advance(20_000);
  assert.deepEqual(got, ["0: 1", "10000: 2", "20000: 3"]);
  stop.abort();
  await ended;
});

Deno.test("poll() with interval 0 asks until the first answer", async () => {
  const { clock, got, ended } = setUp([new Error("no"), 1, 2], { intervalMs: 0 });
  await clock.advance(60_000);
  await ended;
  assert.deepEqual(got, ["0: no", "1000: 1"]);
});

Deno.test("poll() waits longer with each failure in a row, never longer than the interval", async () => {
  const no = () => new Error("no");
  const { clock, stop, got, ended } = setUp([no(), no(), no(), no(), no(), no(), 1, no(), 2]);
  await clock.advance(46_000);
  const times = got.map((line) => Number(line.split(":")[0]));
  assert.deepEqual(times, [0, 1000, 3000, 7000, 15_000, 25_000, 35_000, 45_000, 46_000]);
  stop.abort();
  await ended;
});

Deno.test("poll() takes the wait that an answer asks for", async () => {
  const { clock, stop, got, ended } = setUp([1, 2], { onAnswer: () => 500 });
  await clock.advance(500);
  assert.equal(clock.sleeping, 1);
  assert.deepEqual(got, []);
  stop.abort();
  await ended;
});

Deno.test("poll() shortens waits by up to a tenth, by chance", async () => {
  const { clock, stop, got, ended } = setUp([1, 2], { random: () => 0.5 });
  await clock.advance(9_500);
  assert.deepEqual(got, ["0: 1", "9500: 2"]);
  stop.abort();
  await ended;
});

Deno.test("poll() fails a question that isn't answered in time, and asks no other before it settles", async () => {
  let asked = 0;
  let answer = (_: number) => {};
  const { clock, stop, got, ended } = setUp([], {
    timeoutMs: 5,
    ask: () => {
      asked++;
      return new Promise((resolve) => answer = resolve);
    },
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(got, ["0: no answer within 5 ms"]);
  await clock.advance(30_000);
  assert.equal(asked, 1);
  answer(7);
  await settle();
  assert.equal(asked, 2);
  assert.equal(got.length, 1, "a late answer is not used");
  stop.abort();
  answer(8);
  await ended;
});

Deno.test("poll() ends while it waits and while it asks, without a word", async () => {
  const waiting = setUp([1]);
  await settle();
  waiting.stop.abort();
  await waiting.ended;
  const asking = setUp([]);
  await settle();
  asking.stop.abort();
  await asking.ended;
  assert.deepEqual(asking.got, []);
});

Deno.test("poll() leaves nothing on its signal, however often it asks", async () => {
  const clock = new ManualClock();
  const stop = new AbortController();
  let listening = 0;
  const { signal } = stop;
  const [add, remove] = [signal.addEventListener, signal.removeEventListener];
  signal.addEventListener = (...told: Parameters<typeof add>) => {
    listening++;
    add.apply(signal, told);
  };
  signal.removeEventListener = (...told: Parameters<typeof remove>) => {
    listening--;
    remove.apply(signal, told);
  };
  let asked = 0;
  const over = poll<number>({
    ...{ intervalMs: 10, timeoutMs: 1_000, clock, random: () => 0, signal },
    ask: () => Promise.resolve(asked++),
    onAnswer: () => {},
    onFailure: () => {},
  });
  await clock.advance(1_000);
  assert(asked > 90, `asked ${asked} times`);
  assert(listening < 5, `${listening} listeners after ${asked} questions`);
  stop.abort();
  await over;
});
