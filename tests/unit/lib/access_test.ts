import assert from "node:assert/strict";
import fc from "fast-check";
import { compileAccess, parseAccessRule } from "../../../lib/access.ts";
import { contains, parseCidr } from "../../../lib/address.ts";
import type { AccessRule } from "../../../lib/model.ts";

function rules(...texts: string[]): AccessRule[] {
  return texts.map((text) => parseAccessRule(text) as AccessRule);
}

Deno.test.each([true, false])("compileAccess() without rules answers the default, %s", (allow) => {
  const allowed = compileAccess({ allowByDefault: allow, rules: [] });
  for (const ip of ["1.2.3.4", "::1", "nonsense"]) assert.equal(allowed(ip), allow);
});

Deno.test.each([
  { ip: "10.0.0.1", allow: false },
  { ip: "10.0.0.2", allow: true },
  { ip: "::ffff:10.0.0.1", allow: false },
  { ip: "2001:db8::5", allow: true },
  { ip: "11.0.0.1", allow: false },
  { ip: "::1", allow: false },
])(
  "compileAccess() lets the first matching rule decide: $ip is allowed: $allow",
  ({ ip, allow }) => {
    const list = rules(
      "deny 10.0.0.1",
      "allow 10.0.0.77/8",
      "allow 2001:db8::/32",
      "allow 10.0.0.1",
    );
    assert.equal(compileAccess({ allowByDefault: false, rules: list })(ip), allow);
  },
);

Deno.test("compileAccess() refuses a rule that no configuration can hold", () => {
  const list = [{ allow: true, cidr: "x" }];
  assert.throws(() => compileAccess({ allowByDefault: true, rules: list }), RangeError);
});

Deno.test("compileAccess() agrees with a plain search through the rules", () => {
  const cidr = fc.oneof(
    fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 8 })),
    fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 8 })),
  ).map(([ip, bits]) => `${ip}/${bits}`);
  const list = fc.array(fc.record({ allow: fc.boolean(), cidr }), { maxLength: 8 });
  fc.assert(fc.property(list, fc.boolean(), fc.oneof(fc.ipV4(), fc.ipV6()), (rules, other, ip) => {
    const first = rules.find((rule) => contains(parseCidr(rule.cidr)!, ip));
    assert.equal(compileAccess({ allowByDefault: other, rules })(ip), first?.allow ?? other);
  }));
});

Deno.test.each(["", "allow", "permit 1.2.3.4", "allow 1.2.3.4 5.6.7.8", "Allow 1.2.3.4"])(
  "parseAccessRule() refuses %s",
  (text) => {
    assert.equal(
      parseAccessRule(text),
      `"${text}" is not a rule\nwrite "allow NETWORK" or "deny NETWORK", for example "allow 10.0.0.0/8"`,
    );
  },
);

Deno.test("parseAccessRule() names the network that is none", () => {
  assert.equal(
    parseAccessRule("deny 10.0.0.0/40"),
    '"deny 10.0.0.0/40": "10.0.0.0/40" is not an address or network\n' +
      'for example "deny 10.0.0.0/8" or "deny ::1"',
  );
});
