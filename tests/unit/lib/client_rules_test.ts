import assert from "node:assert/strict";
import { compileRules, wrongRule } from "../../../lib/client_rules.ts";

const ALICE = ["CN=alice", "O=Acme", "DNS:Alice.Example.com", "URI:spiffe://acme/ops/alice"];

Deno.test.each([
  { rules: [], passes: true },
  { rules: ["CN=alice"], passes: true },
  { rules: ["CN=bob"], passes: false },
  { rules: ["CN=bob", "O=Acme"], passes: true },
  { rules: ["CN=Alice"], passes: false },
  { rules: ["CN=alic"], passes: false },
  { rules: ["CN=alic*"], passes: true },
  { rules: ["CN=*"], passes: true },
  { rules: ["OU=*"], passes: false },
  { rules: ["DNS:*.example.COM"], passes: true },
  { rules: ["DNS:alice.example.com"], passes: true },
  { rules: ["DNS:*.com.example"], passes: false },
  { rules: ["URI:spiffe://acme/*/alice"], passes: true },
  { rules: ["URI:spiffe://acme/ops/ali*alice"], passes: false },
  { rules: ["DNS:alice"], passes: false },
])("rules $rules let alice in: $passes", ({ rules, passes }) => {
  assert.equal(compileRules(rules)(ALICE), passes);
});

Deno.test("addresses are the same however they are written", () => {
  assert(compileRules(["IP:2001:DB8:0::1"])(["IP:2001:db8::1"]));
  assert(!compileRules(["IP:10.0.0.1"])(["IP:10.0.0.11"]));
});

Deno.test("who has no certificate meets no rule", () => {
  assert.equal(compileRules(["CN=*"])([]), false);
  assert.equal(compileRules([])([]), true);
});

Deno.test.each(
  [
    ["CN=a", undefined],
    ["IP:10.0.0.1", undefined],
    ["alice", /begins with none of CN= .*\n.*"CN=alice"/],
    ["cn=alice", /begins with none/],
    ["CN=", /says nothing/],
    ["IP:10.0.0.0/8", /is not an address/],
    ["IP:2001:DB8::1", undefined],
    ["CN=a*b*", /more than one \*/],
  ] as const,
)("wrongRule(%s)", (rule, wanted) => {
  if (wanted === undefined) assert.equal(wrongRule(rule), undefined);
  else assert.match(wrongRule(rule)!, wanted);
});
