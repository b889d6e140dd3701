import assert from "node:assert/strict";
import { Lru } from "../../../lib/lru.ts";

Deno.test("an Lru forgets what was used longest ago, and nothing before it is full", () => {
  const lru = new Lru<string, number>(2);
  lru.set("a", 1);
  lru.set("b", 2);
  assert.equal(lru.get("a"), 1);
  lru.set("c", 3);
  assert.deepEqual([lru.get("a"), lru.get("b"), lru.get("c"), lru.size], [1, undefined, 3, 2]);
});

Deno.test("an Lru replaces the value of a key that it has, and forgets nobody for it", () => {
  const lru = new Lru<string, number>(2);
  for (const [key, value] of [["a", 1], ["b", 2], ["a", 3]] as const) lru.set(key, value);
  assert.deepEqual([lru.get("a"), lru.get("b"), lru.size], [3, 2, 2]);
});
