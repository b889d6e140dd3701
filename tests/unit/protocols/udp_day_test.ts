/** A day of a server of datagrams, in seconds. */
import assert from "node:assert/strict";
import { strategies } from "../../../lib/balance/registry.ts";
import type { ServerTable } from "../../../lib/model.ts";
import { PROCESS_SLOT, TOTAL } from "../../../lib/stats/layout.ts";
import type { Context } from "../../../protocols/context.ts";
import { Pools } from "../../../protocols/pools.ts";
import { Sessions } from "../../../protocols/sessions.ts";
import { UdpServer } from "../../../protocols/udp.ts";
import { until } from "../../support/backends.ts";
import { seeded } from "../../support/clock.ts";
import { counters, member, table } from "../../support/members.ts";
import { held, LIMITS } from "../../support/plane.ts";
import { named, UDP, UdpPeer } from "../../support/udp.ts";

const SLOT = 2;
const IDLE_MS = 60_000;
const HOUR_MS = 3_600_000;

/** Sockets of UDP that this process has open. */
async function sockets(): Promise<number> {
  const command = new Deno.Command("ss", { args: ["-Hanup"] });
  const text = new TextDecoder().decode((await command.output()).stdout);
  return text.split("\n").filter((line) => line.includes(`pid=${Deno.pid},`)).length;
}

Deno.test("udp: in a day of clients every session ends in its time, and every socket closes", async () => {
  await using one = named("one");
  await using two = named("two");
  const openBefore = await sockets();
  const counts = counters();
  const sessions = new Sessions();
  const clock = { now: 0 };
  const context = {
    ...{ counters: counts, sessions, log: () => {}, debug: false },
    ticker: clock,
  } as unknown as Context;
  const holder = held("udp");
  const pools = new Pools(strategies, counts, seeded(1), () => {});
  const members = [one, two].map(({ port }, i) => member(i, { address: "127.0.0.1", port }));
  pools.set(table("roundrobin", members));
  const { port } = holder;
  const spec: ServerTable = {
    ...{ name: "dns", protocol: "udp", pool: "pool", slot: SLOT, hostname: "127.0.0.1", port },
    ...{ keyWidth: 4, maxConnections: 0, limits: LIMITS, onRemove: "finish" },
    access: { allowByDefault: true, rules: [] },
    udp: { ...UDP, idleMs: IDLE_MS, maxSessions: 200 },
  };
  const server = new UdpServer(spec, pools, context);
  holder[Symbol.dispose]();
  const random = seeded(24);
  let begun = 0;
  const lastSpoke = new Map<string, number>();
  for (; clock.now < 24 * HOUR_MS; clock.now += 60_000 * random()) {
    sessions.sweep(clock.now);
    const silent = [...lastSpoke].filter(([, last]) => clock.now - last > IDLE_MS + 100);
    for (const [key] of silent) lastSpoke.delete(key);
    assert.equal(sessions.size, lastSpoke.size, `at ${clock.now}`);
    if (random() < 0.3) continue;
    await using client = new UdpPeer();
    assert.ok(await client.ask("x", port));
    if (!lastSpoke.has(`${client.port}`)) begun++; // the system may give a port a second time
    lastSpoke.set(`${client.port}`, clock.now);
  }
  assert.ok(begun > 1_000, `${begun} sessions`);
  assert.equal(counts.sum(SLOT, TOTAL), begun);
  sessions.sweep(clock.now + IDLE_MS + 101);
  assert.equal(sessions.size, 0);
  for (const slot of [SLOT, PROCESS_SLOT, ...members.map(({ slot }) => slot)]) {
    assert.equal(counts.active(slot), 0);
  }
  await until(async () => await sockets() === openBefore + 1, 2_000, "the end of all sockets");
  server.stop();
  await until(async () => await sockets() === openBefore, 2_000, "the end of its own");
});
