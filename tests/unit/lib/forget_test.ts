import assert from "node:assert/strict";
import { fieldsOf, forget, printPath } from "../../../lib/forget.ts";
import type { Overlay } from "../../../lib/overlay.ts";

const OVERLAY: Overlay = {
  servers: { web: null, "a/b": { bind: ":81" } },
  backends: {
    web: { "a:1": { weight: 5, weightBefore: 1, draining: true, drainUntilMs: 7 } },
    app: { "a:1": { draining: true } },
  },
  before: { web: { bind: ":80" }, "a/b": null },
};
const ALL = [
  "servers/web",
  "servers/a%2Fb",
  "pools/web/backends/a:1/weight",
  "pools/web/backends/a:1/drain",
  "pools/app/backends/a:1/drain",
];

Deno.test.each([
  { path: "", left: [] },
  { path: "servers", left: ALL.slice(2) },
  { path: "servers/web", left: ALL.slice(1) },
  { path: "pools/web", left: [...ALL.slice(0, 2), ALL[4]] },
  { path: "pools/web/backends/a:1", left: [...ALL.slice(0, 2), ALL[4]] },
  { path: "pools/web/backends/a:1/weight", left: ALL.filter((field) => !/weight/.test(field)) },
  { path: "pools/web/backends/a:1/drain", left: ALL.filter((field) => !/web.*drain/.test(field)) },
  { path: "pools/app/backends/a:1/weight", left: ALL },
  { path: "servers/webb", left: ALL },
])("forget() of '$path' leaves $left", ({ path, left }) => {
  const after = forget(OVERLAY, path === "" ? [] : path.split("/"), () => true);
  assert.deepEqual(fieldsOf(after).map(printPath).toSorted(), left.toSorted());
  if (left.length === 0) assert.deepEqual(after, { servers: {}, backends: {} });
});

Deno.test("what belongs to a field goes with it, and nothing else", () => {
  const weighed = forget(OVERLAY, ["pools", "web", "backends", "a:1", "drain"], () => true);
  assert.deepEqual(weighed.backends["web"], { "a:1": { weight: 5, weightBefore: 1 } });
  const drained = forget(OVERLAY, ["pools", "web", "backends", "a:1", "weight"], () => true);
  assert.deepEqual(drained.backends["web"], { "a:1": { draining: true, drainUntilMs: 7 } });
  const shown = forget(OVERLAY, ["servers", "web"], () => true);
  assert.deepEqual(shown.before, { "a/b": null });
  assert.deepEqual(shown.backends, OVERLAY.backends);
});

Deno.test("the changes of a server's own backends go with it, unless the base has that name", () => {
  const after = forget(OVERLAY, ["servers", "web"], () => false);
  assert.deepEqual(after.backends, { app: OVERLAY.backends["app"] });
});

Deno.test("printPath() encodes what would be another path, or none", () => {
  assert.equal(printPath(["servers", "a b/c%?#ü"]), "servers/a%20b%2Fc%25%3F%23ü");
  assert.equal(printPath(["pools", "p", "backends", "[::1]:80"]), "pools/p/backends/[::1]:80");
});
