import assert from "node:assert/strict";
import { Turns } from "../../../lib/turns.ts";

Deno.test("Turns runs one task at a time, in order, also after one that fails", async () => {
  const turns = new Turns();
  const seen: string[] = [];
  const first = Promise.withResolvers<void>();
  const one = turns.next(async () => {
    await first.promise;
    seen.push("one");
    throw new Error("one failed");
  });
  const two = turns.next(() => {
    seen.push("two");
    return Promise.resolve(2);
  });
  first.resolve();
  await assert.rejects(one, { message: "one failed" });
  assert.equal(await two, 2);
  assert.deepEqual(seen, ["one", "two"]);
});

Deno.test("Turns.end() fails tasks that haven't begun", async () => {
  const turns = new Turns();
  const one = turns.next(() => {
    turns.end(new Error("over"));
    return Promise.resolve(1);
  });
  const two = turns.next(() => Promise.resolve(2));
  await assert.rejects(two, { message: "over" });
  assert.equal(await one, 1);
});
