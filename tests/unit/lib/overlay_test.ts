import assert from "node:assert/strict";
import {
  amend,
  changesOf,
  NO_OVERLAY,
  remembering,
  sectionsOf,
  withBackend,
  withoutServer,
  withServer,
} from "../../../lib/overlay.ts";

const BASE = { workers: 2, Servers: { web: { bind: ":80" }, other: { bind: ":81" } } };

Deno.test("amend() lays servers over the base: added, replaced, removed, the rest untouched", () => {
  let overlay = withServer(NO_OVERLAY, "new", { bind: ":82" });
  overlay = withServer(overlay, "other", { bind: ":83" });
  overlay = withoutServer(overlay, "web", sectionsOf(BASE));
  assert.deepEqual(amend(BASE, overlay), {
    workers: 2,
    Servers: { other: { bind: ":83" }, new: { bind: ":82" } },
  });
  assert.deepEqual(amend({}, withServer(NO_OVERLAY, "new", {})), { servers: { new: {} } });
  assert.equal(amend(BASE, NO_OVERLAY), BASE);
});

Deno.test("withoutServer() forgets what only the API has added, and hides what the base has", () => {
  const added = withServer(NO_OVERLAY, "new", { bind: ":82" });
  assert.deepEqual(withoutServer(added, "new", sectionsOf(BASE)), NO_OVERLAY);
  assert.deepEqual(withoutServer(NO_OVERLAY, "web", sectionsOf(BASE)).servers, { web: null });
});

Deno.test("a base that isn't a tree of sections is left for the loader to refuse", () => {
  const overlay = withServer(NO_OVERLAY, "new", {});
  for (const base of [null, 1, [], { servers: 5 }]) assert.equal(amend(base, overlay), base);
});

Deno.test("withBackend() keeps changes by pool and backend, and leaves nothing of an empty one", () => {
  const one = withBackend(NO_OVERLAY, "p", "a:1", { weight: 3 });
  const two = withBackend(one, "p", "b:1", { draining: true, drainUntilMs: 7 });
  assert.deepEqual(two.backends, {
    p: { "a:1": { weight: 3 }, "b:1": { draining: true, drainUntilMs: 7 } },
  });
  assert.deepEqual(withBackend(withBackend(two, "p", "a:1", {}), "p", "b:1", {}), NO_OVERLAY);
});

Deno.test("an overlay remembers what the base had when a server was changed", () => {
  const base = sectionsOf(BASE);
  const removed = withoutServer(NO_OVERLAY, "web", base);
  assert.deepEqual(removed.before, { web: { bind: ":80" } });
  const replaced = withServer(removed, "web", { bind: ":90" }, { web: { bind: ":85" } });
  assert.deepEqual(replaced.before, { web: { bind: ":85" } });
  assert.deepEqual(withServer(NO_OVERLAY, "new", {}, base).before, { new: null });
  assert.deepEqual(withoutServer(withServer(NO_OVERLAY, "new", {}, base), "new", base), NO_OVERLAY);
});

Deno.test("remembering() adds what nobody has remembered, and keeps what somebody has", () => {
  const old = {
    servers: { web: null, new: { bind: ":9" } },
    backends: { p: { "a:1": { weight: 5 } } },
  };
  const servers = sectionsOf(BASE);
  const full = remembering(old, { servers, weight: () => 2 });
  assert.deepEqual(full, {
    servers: old.servers,
    backends: { p: { "a:1": { weight: 5, weightBefore: 2 } } },
    before: { web: { bind: ":80" }, new: null },
  });
  assert.deepEqual(remembering(full, { servers: {}, weight: () => 3 }), full);
  assert.deepEqual(remembering(old, { servers, weight: () => undefined }).backends, old.backends);
  assert.deepEqual(changesOf(full), old);
});
