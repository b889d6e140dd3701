import assert from "node:assert/strict";
import fc from "fast-check";
import { type Conflict, factsOf, findConflicts, maskConflict } from "../../../lib/conflicts.ts";
import type { BackendStatus } from "../../../lib/status.ts";
import type { BaseFacts, Overlay, Sections } from "../../../lib/overlay.ts";

function of(overlay: Partial<Overlay>, servers: Sections = {}, weight?: number): Conflict[] {
  const base: BaseFacts = { servers, weight: () => weight };
  return findConflicts({ servers: {}, backends: {}, ...overlay }, base);
}

Deno.test("findConflicts() goes down to single keys, whose names match in any case", () => {
  const found = of(
    {
      servers: { web: { bind: ":81", Discovery: { static_list: ["b:1"], interval: "1s" } } },
      before: { web: { bind: ":80", discovery: { static_list: ["a:1"] } } },
    },
    { web: { Bind: ":80", discovery: { STATIC_LIST: ["c:1"], interval: "1s", timeout: null } } },
  );
  assert.deepEqual(found, [{
    at: "servers/web/discovery/static_list",
    field: "servers/web",
    overlay: ["b:1"],
    base: ["c:1"],
    before: ["a:1"],
  }]);
});

Deno.test("findConflicts() has nothing where nobody remembers what the base said", () => {
  const servers = { web: null, new: { bind: ":81" } };
  const backends = { web: { "a:1": { weight: 5 } } };
  assert.deepEqual(
    of({ servers, backends }, { web: { bind: ":80" }, new: { bind: ":82" } }, 3),
    [],
  );
});

Deno.test.each([
  { now: 3, conflicts: 1 },
  { now: 1, conflicts: 0 },
  { now: 5, conflicts: 0 },
  { now: undefined, conflicts: 0 },
])("a weight of 5 over what was 1 and is $now now: $conflicts conflicts", ({ now, conflicts }) => {
  const backends = { web: { "a:1": { weight: 5, weightBefore: 1 } } };
  assert.equal(of({ backends }, {}, now).length, conflicts);
});

const sections = fc.dictionary(
  fc.constantFrom("a", "b", "c"),
  fc.oneof(fc.nat(2), fc.dictionary(fc.constantFrom("d", "e"), fc.nat(2))),
);

Deno.test("without a change of the base, or with one that agrees, there is never a conflict", () => {
  fc.assert(fc.property(sections, sections, (overlay, base) => {
    assert.deepEqual(of({ servers: { web: overlay }, before: { web: base } }, { web: base }), []);
    assert.deepEqual(of({ servers: { web: base }, before: { web: overlay } }, { web: base }), []);
  }));
});

Deno.test("each conflict has values as they are there: the overlay's and the base's differ, so do the base's", () => {
  fc.assert(fc.property(sections, sections, sections, (overlay, base, before) => {
    const found = of({ servers: { web: overlay }, before: { web: before } }, { web: base });
    for (const each of found) {
      assert.notDeepEqual(each.base, each.overlay);
      assert.notDeepEqual(each.base, each.before);
      assert.equal(each.field, "servers/web");
    }
  }));
});

Deno.test("maskConflict() hides secrets: of a key, inside a section, in an address", () => {
  const secret = { consul_acl_token: "s1", consul_host: "http://u:s2@c:1" };
  const then = { web: { discovery: { consul_acl_token: "s0" } } };
  const found = [
    ...of({ servers: { web: { discovery: secret } }, before: then }, {
      web: { discovery: { consul_acl_token: "s3", consul_host: "http://u:s4@c:1" } },
    }),
    ...of({ servers: { web: null }, before: then }, { web: { discovery: secret } }),
  ].map(maskConflict);
  assert.equal(found.length, 3);
  assert.doesNotMatch(JSON.stringify(found), /s\d/);
  assert.deepEqual(found[0], {
    at: "servers/web/discovery/consul_acl_token",
    field: "servers/web",
    overlay: "********",
    base: "********",
    before: "********",
  });
});

Deno.test("factsOf() knows the weights of backends that a discovery names now", () => {
  const status = (host: string, discovered: boolean) =>
    ({ backend: { host, port: 1, weight: 9 }, discoveredWeight: 2, discovered }) as BackendStatus;
  const backends = [status("a", true), status("b", false)];
  const facts = factsOf(
    {},
    (name) => name === "app" ? { name, strategy: "weight", sources: [], backends } : undefined,
  );
  assert.deepEqual(
    [facts.weight("app", "a:1"), facts.weight("app", "b:1"), facts.weight("nope", "a:1")],
    [2, undefined, undefined],
  );
});
