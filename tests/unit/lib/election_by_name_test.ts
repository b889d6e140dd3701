import assert from "node:assert/strict";
import fc from "fast-check";
import { strategies } from "../../../lib/balance/registry.ts";
import { Electorate, NOTHING_TRIED } from "../../../lib/election.ts";
import { ElectorateByName } from "../../../lib/election_by_name.ts";
import type { Member } from "../../../lib/model.ts";
import type { SniSpec } from "../../../lib/routing_spec.ts";
import { DOWN } from "../../../lib/stats/layout.ts";
import { seeded } from "../../support/clock.ts";
import { counters, member, table } from "../../support/members.ts";

const SNIS = ["a.example", "A.Example.", "*.example", "*.b.example", "", "^c[0-9]+$", "("];

function byName(
  matching: SniSpec["matching"],
  snis: readonly string[] = SNIS,
  facts: Partial<Member> = {},
) {
  const cells = counters();
  const members = snis.map((sni, i) => member(i, { ...facts, sni }));
  let built = 0;
  const build = (some: readonly Member[]) => {
    built++;
    return new Electorate(
      table("roundrobin", some),
      strategies.get("roundrobin"),
      cells,
      seeded(1),
    );
  };
  const pool = new ElectorateByName(build(members), matching, build);
  const elect = (name: string, unexpected: SniSpec["unexpected"] = "default") =>
    pool.elect(name, unexpected)?.table.members.map(({ sni }) => sni);
  return { pool, elect, cells, builds: () => built };
}

Deno.test.each(
  [
    { matching: "exact", name: "a.example", snis: ["a.example", "A.Example."] },
    { matching: "exact", name: "x.example", snis: [""] },
    { matching: "exact", name: "", snis: [""] },
    { matching: "wildcard", name: "a.example", snis: ["a.example", "A.Example."] },
    { matching: "wildcard", name: "x.y.example", snis: ["*.example"] },
    { matching: "wildcard", name: "x.y.b.example", snis: ["*.b.example"] },
    { matching: "wildcard", name: "b.example", snis: ["*.example"] },
    { matching: "wildcard", name: "example", snis: [""] },
    { matching: "wildcard", name: "xexample", snis: [""] },
    { matching: "wildcard", name: "", snis: [""] },
    { matching: "regexp", name: "c12", snis: ["^c[0-9]+$"] },
    { matching: "regexp", name: "xa.examples", snis: ["a.example"] },
    { matching: "regexp", name: "a-example", snis: ["a.example"] },
    { matching: "regexp", name: "c1x", snis: [""] },
    { matching: "regexp", name: "", snis: [""] },
  ] as const,
)('with $matching the name "$name" is for $snis', ({ matching, name, snis }) => {
  assert.deepEqual(byName(matching).elect(name), snis);
});

Deno.test("a wildcard of one star takes every name that no other takes, and no client without one", () => {
  const { elect } = byName("wildcard", ["*", "*.a.example"]);
  assert.deepEqual(elect("b.example", "reject"), ["*"]);
  assert.deepEqual(elect("x.a.example", "reject"), ["*.a.example"]);
  assert.equal(elect("", "reject"), undefined);
});

Deno.test.each(
  [
    { unexpected: "default", name: "x.example", snis: [""], without: undefined },
    { unexpected: "reject", name: "x.example", snis: undefined, without: undefined },
    { unexpected: "any", name: "x.example", snis: ["a.example", ""], without: ["a.example"] },
    { unexpected: "default", name: "", snis: [""], without: undefined },
    { unexpected: "reject", name: "", snis: [""], without: undefined },
    { unexpected: "any", name: "", snis: [""], without: ["a.example"] },
  ] as const,
)(
  'a name that nobody has, "$name", gets with "$unexpected" $snis, and where all have names $without',
  ({ unexpected, name, snis, without }) => {
    assert.deepEqual(byName("exact", ["a.example", ""]).elect(name, unexpected), snis);
    assert.deepEqual(byName("exact", ["a.example"]).elect(name, unexpected), without);
  },
);

Deno.test("backends that match count while one of them is live, whatever its limit", () => {
  const { pool, elect, cells } = byName("exact", ["a.example", "a.example", ""], {
    maxConnections: 1,
  });
  cells.setFlag(10, DOWN, true);
  assert.deepEqual(elect("a.example"), ["a.example", "a.example"]);
  const lease = () => pool.elect("a.example", "default")?.lease(0, NOTHING_TRIED)?.slot;
  assert.deepEqual([lease(), lease()], [11, undefined], "full ones aren't stood in for");
  cells.setFlag(11, DOWN, true);
  assert.deepEqual(elect("a.example"), [""]);
  assert.equal(elect("a.example", "any")?.length, 3);
  assert.deepEqual(elect("a.example", "reject"), ["a.example", "a.example"], "they are only down");
});

Deno.test("a pool that has no backends yet has nobody to be unexpected for", () => {
  assert.deepEqual(byName("exact", []).elect("a.example", "reject"), []);
});

Deno.test("a bad pattern is told, and only the backends that have it are skipped", () => {
  const { pool, elect } = byName("regexp", ["(", ".*"]);
  assert.match(String(pool.patterns.get("(")), /^"\(" is not a pattern: /);
  assert.deepEqual(elect("x", "reject"), [".*"]);
});

Deno.test("patterns that are known aren't compiled again", () => {
  const { pool } = byName("regexp", ["a+"]);
  const next = new ElectorateByName(pool.all, "regexp", () => pool.all, pool.patterns);
  assert.equal(next.patterns.get("a+"), pool.patterns.get("a+"));
});

Deno.test.each(["exact", "wildcard", "regexp"] as const)(
  "with %s 20,000 names that nobody has build nothing anew, and one that somebody has is built once",
  (matching) => {
    const { elect, builds } = byName(
      matching,
      ["a", "a", "b", "*.x", ""].slice(0, matching === "regexp" ? 3 : 5),
    );
    for (let i = 0; i < 20_000; i++) elect(`${i}.y`);
    elect("a");
    elect("b");
    const before = builds();
    assert.ok(before <= 5, `${before} were built`);
    for (let i = 0; i < 2_000; i++) elect("a");
    assert.equal(builds(), before);
  },
);

Deno.test("property: with exact a name's electorate is every backend that has it, in order", () => {
  const name = fc.constantFrom("a", "b", "A", "b.", "c", "");
  fc.assert(fc.property(fc.array(name, { minLength: 1 }), name, (snis, asked) => {
    const plain = (sni: string) => sni.toLowerCase().replace(/\.$/, "");
    const wanted = snis.filter((sni) => plain(sni) === plain(asked));
    const found = byName("exact", snis).elect(plain(asked), "reject");
    assert.deepEqual(found, wanted.length === 0 ? undefined : wanted);
  }));
});
