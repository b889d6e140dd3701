import assert from "node:assert/strict";
import { countedSince, parseListing } from "../../../../lib/kernel/listing.ts";
import { parseTableName, tableName } from "../../../../lib/kernel/names.ts";
import { markOf, parseMark } from "../../../../lib/kernel/owner.ts";
import type { Ruleset } from "../../../../lib/kernel/rules.ts";
import { changing, removing, replacing } from "../../../../lib/kernel/transaction.ts";
import { forwarded } from "../../../support/kernel.ts";

const hook = { type: "nat", hook: "prerouting", prio: -100 } as const;
const before: Ruleset = {
  table: "twixt_tcp_80_any",
  counters: ["denied", "old"],
  chains: [{ name: "in", hook, rules: [[{ counter: "old" }]] }, { name: "to_old", rules: [] }],
};
const after: Ruleset = {
  table: "twixt_tcp_80_any",
  counters: ["denied"],
  chains: [{ name: "in", hook, rules: [] }],
};

/** A transaction's commands in short: verb, what, name. */
function commands(text: string): string[] {
  const { nftables } = JSON.parse(text);
  return nftables.map((command: Record<string, Record<string, Record<string, unknown>>>) => {
    const [[verb, object]] = Object.entries(command) as [
      [string, Record<string, Record<string, unknown>>],
    ];
    const [[what, { family, name, chain, table }]] = Object.entries(object) as [
      [string, Record<string, unknown>],
    ];
    assert.equal(family, "inet");
    assert.equal(what === "table" ? name : table, "twixt_tcp_80_any");
    return `${verb} ${what} ${what === "table" ? "" : name ?? chain}`.trim();
  });
}

Deno.test("replacing() makes a table anew, whether it was there or not", () => {
  assert.deepEqual(commands(replacing(before, "owner_1_2_3")), [
    ...["add table", "delete table", "add table", "add counter owner_1_2_3"],
    ...["add counter denied", "add counter old", "add chain in", "add chain to_old", "add rule in"],
  ]);
  assert.match(
    replacing(after, "owner_1_2_3"),
    /"name":"in","type":"nat","hook":"prerouting","prio":-100,"policy":"accept"/,
  );
});

Deno.test("changing() checks the mark first, keeps what counts and removes what has gone", () => {
  assert.deepEqual(commands(changing(before, after, "owner_1_2_3")), [
    ...["delete counter owner_1_2_3", "add counter owner_1_2_3", "flush table"],
    ...["add counter denied", "add chain in", "delete chain to_old", "delete counter old"],
  ]);
});

Deno.test("removing() checks the mark first", () => {
  assert.deepEqual(commands(removing(after.table, "owner_1_2_3")), [
    ...["delete counter owner_1_2_3", "add counter owner_1_2_3", "delete table"],
  ]);
});

Deno.test("parseListing() takes our tables, their owners and counts, and nothing else", () => {
  const counter = (table: string, name: string, packets = 0, family = "inet") => ({
    counter: { family, table, name, packets, bytes: packets * 60, handle: 1 },
  });
  const listed = parseListing(JSON.stringify({
    nftables: [
      { metainfo: {} },
      counter("twixt_udp_53_any", "owner_4_5_6"),
      counter("twixt_udp_53_any", "denied", 7),
      counter("twixt_mine", "a"),
      counter("twixt_udp_53_any", "denied", 9, "ip"),
      counter("other", "denied"),
    ],
  }));
  assert.deepEqual([...listed.keys()], ["twixt_udp_53_any", "twixt_mine"]);
  const { owner, counts } = listed.get("twixt_udp_53_any")!;
  assert.deepEqual(owner, { namespace: "4", pid: 5, startedAt: 6 });
  assert.deepEqual([...counts], [["denied", { packets: 7, bytes: 420 }]]);
  assert.equal(listed.get("twixt_mine")!.owner, undefined);
  for (const wrong of ["", "{}", "[]"]) assert.throws(() => parseListing(wrong));
});

Deno.test("countedSince() never goes back", () => {
  const [five, seven] = [5, 7].map((packets) => ({ packets, bytes: packets * 100 }));
  assert.deepEqual(countedSince(five, seven!), { packets: 2, bytes: 200 });
  assert.deepEqual(countedSince(undefined, five!), five);
  assert.deepEqual(countedSince(seven, five!), five, "somebody has set it back");
});

Deno.test.each([
  { hostname: "::", name: "twixt_tcp_80_any" },
  { hostname: "0.0.0.0", name: "twixt_tcp_80_any4" },
  { hostname: "10.0.0.1", name: "twixt_tcp_80_10.0.0.1" },
  { hostname: "fd00::1", name: "twixt_tcp_80_fd00..1" },
])("tableName() of $hostname is $name, which says its port", ({ hostname, name }) => {
  assert.equal(tableName(forwarded({ hostname })), name);
  assert.deepEqual(parseTableName(name), { protocol: "tcp", port: 80 });
});

Deno.test("marks and names that aren't ours are none", () => {
  const owner = { namespace: "4", pid: 5, startedAt: 6 };
  assert.deepEqual(parseMark(markOf(owner)), owner);
  for (const wrong of ["owner_1_2", "owner_a_b_c", "denied"]) {
    assert.equal(parseMark(wrong), undefined);
  }
  assert.equal(parseTableName("twixt_mine"), undefined);
});
