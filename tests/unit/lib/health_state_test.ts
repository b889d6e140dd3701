import assert from "node:assert/strict";
import { observe } from "../../../lib/health_state.ts";

Deno.test.each([
  { results: "ff", live: true },
  { results: "fff", live: false },
  { results: "ffpff", live: true },
  { results: "fffp", live: false },
  { results: "fffpp", live: true },
  { results: "fffpfpf", live: false },
  { results: "", live: true },
])("observe() with passes 2 and fails 3: $results leaves live $live", ({ results, live }) => {
  let state = { live: true, contrary: 0 };
  for (const result of results) state = observe(state, result === "p", { passes: 2, fails: 3 });
  assert.equal(state.live, live);
});
