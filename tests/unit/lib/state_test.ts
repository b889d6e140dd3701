import assert from "node:assert/strict";
import fc from "fast-check";
import { parseState, printState, type State } from "../../../lib/state.ts";

const backend = fc.record(
  { weight: fc.nat(), weightBefore: fc.nat(), draining: fc.boolean() },
  { requiredKeys: [] },
);
const servers = fc.dictionary(fc.string(), fc.option(fc.dictionary(fc.string(), fc.jsonValue())));
const states: fc.Arbitrary<State> = fc.record({
  overlay: fc.record({
    servers,
    backends: fc.dictionary(fc.string(), fc.dictionary(fc.string(), backend)),
    before: servers,
  }, { requiredKeys: ["servers", "backends"] }),
  down: fc.dictionary(fc.string(), fc.array(fc.string())),
  handedOverBy: fc.option(fc.nat(), { nil: undefined }),
});

Deno.test("what printState() writes, parseState() reads", () => {
  fc.assert(fc.property(states, (state) => {
    const read = parseState(printState(state));
    assert.deepEqual(JSON.parse(JSON.stringify(read)), JSON.parse(JSON.stringify(state)));
  }));
});

Deno.test.each([
  { text: "", why: "it is not JSON" },
  { text: "null", why: "it is not a state file of this version" },
  {
    text: '{"version":1,"overlay":{"servers":{},"backends":{}},"down":{"p":"a:1"}}',
    why: "an entry is not what was written there",
  },
  { text: "[]", why: "it is not a state file of this version" },
  { text: '{"version":2,"overlay":{}}', why: "it is not a state file of this version" },
  { text: '{"version":1}', why: "it has no overlay" },
  {
    text: '{"version":1,"overlay":{"servers":{"a":5},"backends":{}}}',
    why: "an entry is not what was written there",
  },
  {
    text: '{"version":1,"overlay":{"servers":{},"backends":{"p":{"a":{"weight":"x"}}}}}',
    why: "an entry is not what was written there",
  },
  {
    text: '{"version":1,"overlay":{"servers":{},"backends":{"p":{"a":{"weight":2147483648}}}}}',
    why: "an entry is not what was written there",
  },
  {
    text: '{"version":1,"overlay":{"servers":{},"backends":{},"before":{"a":5}}}',
    why: "an entry is not what was written there",
  },
  {
    text: '{"version":1,"overlay":{"servers":{},"backends":{"p":{"a":{"weightBefore":-1}}}}}',
    why: "an entry is not what was written there",
  },
])("parseState() of $text says: $why", ({ text, why }) => assert.equal(parseState(text), why));
