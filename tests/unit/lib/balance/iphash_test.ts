import assert from "node:assert/strict";
import { Electorate } from "../../../../lib/election.ts";
import { strategies } from "../../../../lib/balance/registry.ts";
import { clientKey, keyWidth } from "../../../../lib/client_key.ts";
import { backendKey, type Member } from "../../../../lib/model.ts";
import { DOWN } from "../../../../lib/stats/layout.ts";
import { seeded } from "../../../support/clock.ts";
import { counters, member, table } from "../../../support/members.ts";
import { fromFileUrl } from "../../../support/paths.ts";

/** Made by iphash.py beside it, which knows nothing of this program. */
const VECTORS = JSON.parse(
  await Deno.readTextFile(
    fromFileUrl(new URL("../../../fixtures/balance/iphash.json", import.meta.url)),
  ),
) as {
  pools: string[][];
  rows: { client: string; width: 4 | 16; hash: number; iphash: string[]; iphash1: string[] }[];
};

function membersOf(addresses: readonly string[], facts: Partial<Member> = {}): Member[] {
  return addresses.map((address, index) => {
    const [host, port] = address.split(":");
    return member(index, { host: host!, port: Number(port), ...facts });
  });
}

function electorate(strategy: string, members: readonly Member[], cells = counters()) {
  return {
    cells,
    pool: new Electorate(table(strategy, members), strategies.get(strategy), cells, seeded(1)),
  };
}

for (const strategy of ["iphash", "iphash1"] as const) {
  Deno.test(`${strategy}: chooses what gobetween chooses, for every client, width and pool`, () => {
    for (const row of VECTORS.rows) {
      const key = clientKey(row.client, row.width);
      assert.equal(key, row.hash, `${row.client} as ${row.width} bytes`);
      VECTORS.pools.forEach((addresses, index) => {
        for (const weight of [1, 5]) { // equal weights are no weights
          const { pool } = electorate(strategy, membersOf(addresses, { weight }));
          assert.equal(backendKey(pool.lease(key, [])!), row[strategy][index], row.client);
        }
      });
    }
  });

  Deno.test(`${strategy}: unequal weights give shares in proportion`, () => {
    const { pool } = electorate(strategy, [member(0, { weight: 3 }), member(1, { weight: 1 })]);
    let heavy = 0;
    for (let i = 0; i < 20_000; i++) {
      const ip = `10.${i & 255}.${(i >> 8) & 255}.${(i * 7) & 255}`;
      if (pool.lease(clientKey(ip, 4), [])!.slot === 10) heavy++;
    }
    assert.ok(Math.abs(heavy / 20_000 - 0.75) < 0.02, String(heavy));
  });
}

/** The share of 10,000 clients that change their backend when the third of ten goes. */
function moved(strategy: string): { moved: number; hadToMove: number } {
  const { pool, cells } = electorate(strategy, Array.from({ length: 10 }, (_, i) => member(i)));
  const clients = Array.from({ length: 10_000 }, (_, i) => `10.9.${i >> 8}.${i & 255}`);
  const choose = () => clients.map((ip) => pool.lease(clientKey(ip, 4), [])!.slot);
  const before = choose();
  cells.setFlag(12, DOWN, true);
  const after = choose();
  assert.ok(!after.includes(12));
  cells.setFlag(12, DOWN, false);
  assert.deepEqual(choose(), before, "everybody returns when it is back");
  const changed = before.filter((slot, index) => slot !== after[index]).length;
  return {
    moved: changed / 10_000,
    hadToMove: before.filter((slot) => slot === 12).length / 10_000,
  };
}

Deno.test("iphash1 moves only the clients of the backend that goes, iphash most of all clients", () => {
  const rendezvous = moved("iphash1");
  assert.equal(rendezvous.moved, rendezvous.hadToMove);
  const modulo = moved("iphash");
  console.log(
    `moved when one of ten backends goes: iphash ${(modulo.moved * 100).toFixed(1)} %, ` +
      `iphash1 ${(rendezvous.moved * 100).toFixed(1)} %`,
  );
  assert.ok(modulo.moved > 0.8 && modulo.moved < 0.95, String(modulo.moved));
});

Deno.test.each([
  { hostname: "::", width: 16 },
  { hostname: "::1", width: 16 },
  { hostname: "0.0.0.0", width: 16 },
  { hostname: "127.0.0.1", width: 4 },
  { hostname: "10.0.0.7", width: 4 },
])("keyWidth() of a listener on $hostname is $width", ({ hostname, width }) => {
  assert.equal(keyWidth({ hostname }), width);
});

Deno.test("clientKey() sees the same client behind its IPv4-mapped address", () => {
  assert.equal(clientKey("::ffff:10.1.2.3", 4), clientKey("10.1.2.3", 4));
  assert.equal(clientKey("::ffff:10.1.2.3", 16), clientKey("10.1.2.3", 16));
});
