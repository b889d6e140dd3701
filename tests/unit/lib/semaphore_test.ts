import assert from "node:assert/strict";
import { Semaphore } from "../../../lib/semaphore.ts";

/** Tasks that end when they are told to, and the order in which they began. */
function tasks(semaphore: Semaphore) {
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const start = (name: string, owner = name[0]!, signal = new AbortController().signal) =>
    semaphore.run(() => {
      begun.push(name);
      return new Promise<string>((resolve) => ends.push(() => resolve(name)));
    }, { signal, owner });
  const endOne = async () => {
    ends.shift()!();
    await new Promise((resolve) => setTimeout(resolve));
  };
  return { begun, start, endOne };
}

Deno.test("Semaphore runs so many at a time, each owner in turn", async () => {
  const { begun, start, endOne } = tasks(new Semaphore(2));
  const all = ["a1", "a2", "a3", "a4", "a5", "b1", "c1", "b2"].map((name) => start(name));
  assert.deepEqual(begun, ["a1", "a2"]);
  for (let i = 0; i < 8; i++) await endOne();
  assert.deepEqual(begun, ["a1", "a2", "a3", "b1", "c1", "a4", "b2", "a5"]);
  assert.equal((await Promise.all(all)).length, 8);
});

Deno.test("Semaphore forgets who has stopped waiting, and gives no place away for it", async () => {
  const { begun, start, endOne } = tasks(new Semaphore(1));
  const gone = new AbortController();
  const first = start("a1");
  const left = start("b1", "b", gone.signal);
  const last = start("c1");
  gone.abort(new Error("gone"));
  await assert.rejects(left, /gone/);
  await assert.rejects(start("b2", "b", gone.signal), /gone/);
  await endOne();
  assert.deepEqual(begun, ["a1", "c1"]);
  await endOne();
  assert.deepEqual(await Promise.all([first, last]), ["a1", "c1"]);
});

Deno.test("Semaphore passes a place on after a failure", async () => {
  const semaphore = new Semaphore(1);
  await assert.rejects(semaphore.run(() => Promise.reject(new Error("no"))), /no/);
  assert.equal(await semaphore.run(() => Promise.resolve(1)), 1);
});
