import assert from "node:assert/strict";
import { type Facts, rulesetOf } from "../../../../lib/kernel/rules.ts";
import { forwarded } from "../../../support/kernel.ts";
import { member } from "../../../support/members.ts";

/** The rules of one chain as JSON, one a line. */
function chain(name: string, facts: Partial<Facts> = {}): string[] {
  const members = [member(1), member(2)];
  const all = { server: forwarded(), strategy: "weight", members, usable: () => true };
  const { chains } = rulesetOf({ ...all, serving: true, ...facts });
  const found = chains.find((each) => each.name === name);
  assert(found, `there is no chain ${name}`);
  return found.rules.map((rule) => JSON.stringify(rule));
}

const six = member(3, { address: "fd00::2", host: "fd00::2", port: 8080 });
const udp = forwarded({ protocol: "udp", hostname: "10.0.0.1", port: 53, forward: "transparent" });

Deno.test("rulesetOf() leads each version of IP to its own backends, and refuses the rest", () => {
  assert.deepEqual(chain("choose", { members: [member(1), member(2, { weight: 2 }), six] }), [
    '[{"match":{"op":"==","left":{"meta":{"key":"nfproto"}},"right":"ipv4"}},{"vmap":{"key":{"numgen":{"mode":"random","mod":3,"offset":0}},"data":{"set":[[0,{"goto":{"target":"to_10.0.0.1_80"}}],[{"range":[1,2]},{"goto":{"target":"to_10.0.0.2_80"}}]]}}}]',
    '[{"match":{"op":"==","left":{"meta":{"key":"nfproto"}},"right":"ipv6"}},{"vmap":{"key":{"numgen":{"mode":"random","mod":1,"offset":0}},"data":{"set":[[0,{"goto":{"target":"to_fd00..2_8080"}}]]}}}]',
    '[{"counter":"no_backend"},{"goto":{"target":"refuse"}}]',
  ]);
  assert.deepEqual(chain("to_fd00..2_8080", { members: [six] }), [
    '[{"counter":"sessions_to_fd00..2_8080"},{"match":{"op":"==","left":{"meta":{"key":"l4proto"}},"right":"tcp"}},{"dnat":{"family":"ip6","addr":"fd00::2","port":8080}}]',
  ]);
});

Deno.test("rulesetOf() draws by turns and by the client's address", () => {
  const [turns] = chain("choose", { strategy: "roundrobin" });
  assert.match(turns!, /"numgen":\{"mode":"inc","mod":2,"offset":0\}/);
  const [hash] = chain("choose", { strategy: "iphash" });
  assert.match(
    hash!,
    /"jhash":\{"mod":2,"seed":\d+,"expr":\{"payload":\{"protocol":"ip","field":"saddr"\}\}\}/,
  );
});

Deno.test("rulesetOf() leads nobody anywhere when nobody is usable", () => {
  const refused = ['[{"counter":"no_backend"},{"goto":{"target":"refuse"}}]'];
  assert.deepEqual(chain("choose", { usable: () => false }), refused);
  assert.deepEqual(chain("choose", { members: [] }), refused);
  assert.deepEqual(chain("count", { members: [] }), []);
  assert.deepEqual(chain("postrouting", { members: [] }), []);
});

Deno.test("rulesetOf() takes a specific address, every IPv4 address, or all of this host", () => {
  const port =
    '{"match":{"op":"==","left":{"meta":{"key":"l4proto"}},"right":"tcp"}},{"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":80}}';
  const local =
    '{"match":{"op":"==","left":{"fib":{"result":"type","flags":["daddr"]}},"right":"local"}}';
  const serve = '{"goto":{"target":"serve"}}';
  const at = (hostname: string, name = "prerouting") =>
    chain(name, { server: forwarded({ hostname }) });
  assert.deepEqual(at("::"), [`[${port},${local},${serve}]`]);
  const four = '{"match":{"op":"==","left":{"meta":{"key":"nfproto"}},"right":"ipv4"}}';
  assert.deepEqual(at("0.0.0.0"), [`[${four},${port},${local},${serve}]`]);
  const one =
    '{"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"daddr"}},"right":"10.0.0.1"}}';
  assert.deepEqual(at("10.0.0.1"), [`[${one},${port},${serve}]`]);
  assert.deepEqual(at("10.0.0.1", "output"), [`[${one},${port},${serve}]`]);
  assert.equal(at("::", "output").length, 2);
  assert.match(at("0.0.0.0", "output")[0]!, /"op":"!=".*"127.0.0.0","len":8/);
});

Deno.test("rulesetOf() asks access rules in order; what isn't the first packet of a connection is left alone", () => {
  const access = {
    allowByDefault: false,
    rules: [
      { allow: false, cidr: "10.1.2.3/8" },
      { allow: true, cidr: "2001:db8::/32" },
      { allow: true, cidr: "0.0.0.0/0" },
    ],
  };
  assert.deepEqual(chain("serve", { server: forwarded({ access }) }), [
    '[{"match":{"op":"!=","left":{"&":[{"payload":{"protocol":"tcp","field":"flags"}},["fin","syn","rst","ack"]]},"right":"syn"}},{"return":null}]',
    '[{"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"saddr"}},"right":{"prefix":{"addr":"10.0.0.0","len":8}}}},{"goto":{"target":"deny"}}]',
    '[{"match":{"op":"==","left":{"payload":{"protocol":"ip6","field":"saddr"}},"right":{"prefix":{"addr":"2001:db8::","len":32}}}},{"goto":{"target":"choose"}}]',
    '[{"match":{"op":"==","left":{"meta":{"key":"nfproto"}},"right":"ipv4"}},{"goto":{"target":"choose"}}]',
    '[{"goto":{"target":"deny"}}]',
  ]);
  assert.deepEqual(chain("serve", { server: udp }), ['[{"goto":{"target":"choose"}}]']);
});

Deno.test("rulesetOf() hides clients behind this host, but not where backends shall see them", () => {
  assert.deepEqual(chain("postrouting", { members: [member(1)] }), [
    '[{"match":{"op":"==","left":{"meta":{"key":"l4proto"}},"right":"tcp"}},{"match":{"op":"in","left":{"ct":{"key":"status"}},"right":"dnat"}},{"match":{"op":"==","left":{"ct":{"key":"proto-dst","dir":"original"}},"right":80}},{"match":{"op":"==","left":{"concat":[{"payload":{"protocol":"ip","field":"daddr"}},{"payload":{"protocol":"tcp","field":"dport"}}]},"right":{"set":[{"concat":["10.0.0.1",80]}]}}},{"masquerade":null}]',
  ]);
  assert.deepEqual(chain("postrouting", { server: udp }), []);
});

Deno.test("rulesetOf() counts bytes of its own connections alone, each packet once", () => {
  const [arriving] = chain("count_arriving", { server: udp });
  assert.match(arriving!, /"iif".*"dnat".*"ip daddr","dir":"original".*"10.0.0.1".*"right":53/);
  assert.deepEqual(chain("count", { members: [member(1)] }), [
    '[{"match":{"op":"==","left":{"ct":{"key":"direction"}},"right":"original"}},{"counter":{"map":{"key":{"concat":[{"payload":{"protocol":"ip","field":"daddr"}},{"payload":{"protocol":"tcp","field":"dport"}}]},"data":{"set":[[{"concat":["10.0.0.1",80]},"tx_to_10.0.0.1_80"]]}}}}]',
    '[{"match":{"op":"==","left":{"ct":{"key":"direction"}},"right":"reply"}},{"counter":{"map":{"key":{"concat":[{"payload":{"protocol":"ip","field":"saddr"}},{"payload":{"protocol":"tcp","field":"sport"}}]},"data":{"set":[[{"concat":["10.0.0.1",80]},"rx_to_10.0.0.1_80"]]}}}}]',
  ]);
});

Deno.test("rulesetOf() of a server that takes no new clients still counts and hides those that it has", () => {
  const leaving = { serving: false };
  for (const name of ["prerouting", "output", "serve", "choose"]) {
    assert.deepEqual(chain(name, leaving), [], name);
  }
  assert.equal(chain("count", leaving).length, 2);
  assert.equal(chain("postrouting", leaving).length, 1);
});
