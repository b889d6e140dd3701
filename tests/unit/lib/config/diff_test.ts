import assert from "node:assert/strict";
import { changedNames, type Changes } from "../../../../lib/config/diff.ts";

const NONE = { added: [], changed: [], removed: [] };

Deno.test("changedNames() has the lists that aren't empty, each with 20 names at most", () => {
  const added = Array.from({ length: 25 }, (_, i) => `s${i}`);
  const changes: Changes = {
    text: "",
    servers: { ...NONE, added },
    pools: { ...NONE, removed: ["p"], changed: added.slice(0, 20) },
  };
  assert.deepEqual(changedNames(changes), {
    servers_added: [...added.slice(0, 20), "and 5 more"],
    pools_changed: added.slice(0, 20),
    pools_removed: ["p"],
  });
  assert.deepEqual(changedNames({ text: "nothing changed", servers: NONE, pools: NONE }), {});
});
