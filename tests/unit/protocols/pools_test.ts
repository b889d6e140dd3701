import assert from "node:assert/strict";
import { strategies } from "../../../lib/balance/registry.ts";
import type { SniSpec } from "../../../lib/routing_spec.ts";
import { Pools } from "../../../protocols/pools.ts";
import { counters, member, table } from "../../support/members.ts";

const REGEXP: SniSpec = { matching: "regexp", unexpected: "reject" };

function setUp(...snis: readonly string[]) {
  const warnings: unknown[] = [];
  const log = (_level: string, _message: string, fields: unknown) => void warnings.push(fields);
  const pools = new Pools(strategies, counters(), Math.random, log);
  const set = (...snis: readonly string[]) =>
    pools.set(table("weight", snis.map((sni, i) => member(i, { sni }))));
  set(...snis);
  return { pools, set, warnings };
}

Deno.test("a bad pattern is warned of once, when the first client comes and not with every table", () => {
  const { pools, set, warnings } = setUp("(", "a");
  assert.deepEqual(warnings, []);
  for (let i = 0; i < 3; i++) {
    assert.equal(pools.byName("pool", REGEXP, "a")?.table.members.length, 1);
    set("(", "a", "a");
    set("(", "a");
  }
  assert.equal(warnings.length, 1);
  assert.match(
    JSON.stringify(warnings),
    /"pool":"pool","why":"\\"\(\\" is not a pattern: [^\n]+; it is/,
  );
  set("(", "[", "a");
  pools.byName("pool", REGEXP, "a");
  assert.equal(warnings.length, 2);
});

Deno.test("a new table is what the next election by name sees, a forgotten one has nobody", () => {
  const { pools, set } = setUp("a");
  assert.equal(pools.byName("pool", REGEXP, "b"), undefined);
  set("a", "b");
  assert.equal(pools.byName("pool", REGEXP, "b")?.table.members[0]?.sni, "b");
  pools.delete("pool");
  assert.equal(pools.byName("pool", REGEXP, "b"), undefined);
  assert.equal(pools.get("pool"), undefined);
});
