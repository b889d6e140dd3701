import assert from "node:assert/strict";
import type {
  Advice,
  CheckKind,
  CheckResult,
  CheckTarget,
  DiscoveryKind,
} from "../../../lib/kinds.ts";
import type { Backend, CheckSpec, DiscoverySpec, PoolSpec, PoolTable } from "../../../lib/model.ts";
import { Names } from "../../../lib/net/names.ts";
import { Pool } from "../../../lib/pool.ts";
import { Registry } from "../../../lib/registry.ts";
import { CheckPlaces } from "../../../lib/check_places.ts";
import { DOWN, DRAINING, SLOTS } from "../../../lib/stats/layout.ts";
import { Slots } from "../../../lib/stats/slots.ts";
import { ManualClock } from "../../support/clock.ts";
import { runProgram } from "../../../lib/host/program.ts";
import { MemoryLog } from "../../support/log.ts";
import { counters } from "../../support/members.ts";

const DISCOVERY: DiscoverySpec = {
  kind: "fake",
  options: {},
  intervalMs: 1_000,
  timeoutMs: 60_000,
  failpolicy: "keeplast",
};
const CHECK: CheckSpec = {
  kind: "fake",
  options: {},
  intervalMs: 1_000,
  timeoutMs: 60_000,
  fails: 2,
  passes: 1,
  initiallyLive: true,
};

function backend(host: string, facts: Partial<Backend> = {}): Backend {
  return { host, port: 80, weight: 1, priority: 1, maxConnections: 0, sni: "", ...facts };
}

/** A pool whose discovery answers `lists`, whose checks answer `passes`, and whose names are `hosts`. */
function setUp(spec: Partial<PoolSpec> = {}, watch?: DiscoveryKind["watch"]) {
  const clock = new ManualClock();
  const log = new MemoryLog();
  const cells = counters(1, 1);
  const slots = new Slots(cells);
  const tables: PoolTable[] = [];
  const left: number[][] = [];
  const cut: number[][] = [];
  const world = {
    lists: [] as (Backend[] | Error)[],
    passes: (_address: string): CheckResult | Error => ({ passed: true, text: "ok" }),
    hosts: {} as Record<string, string[]>,
    checked: [] as string[],
    targets: [] as CheckTarget[],
    hangs: false,
  };
  const discovery: DiscoveryKind = {
    name: "fake",
    summary: "",
    shape: {},
    ...watch === undefined ? {} : { watch },
    find() {
      const list = world.lists.length > 1 ? world.lists.shift()! : world.lists[0]!;
      return list instanceof Error ? Promise.reject(list) : Promise.resolve(list);
    },
  };
  const check: CheckKind = {
    name: "fake",
    summary: "",
    shape: {},
    check(target) {
      if (world.hangs) return new Promise(() => {});
      const { address } = target;
      world.checked.push(address);
      world.targets.push(target);
      const result = world.passes(address);
      return result instanceof Error ? Promise.reject(result) : Promise.resolve(result);
    },
  };
  const names = new Names({
    clock,
    random: () => 0,
    lookup: (host) => {
      const addresses = world.hosts[host];
      if (addresses === undefined) return Promise.reject(new Error("NXDOMAIN"));
      return Promise.resolve({ addresses, ttlMs: 1_000 });
    },
    onFailures: ({ examples }) => examples.forEach((failed) => log.warning(failed)),
  });
  const start = () =>
    new Pool({ name: "p", strategy: "weight", discoveries: [DISCOVERY], ...spec }, slots.take()!, {
      discoveries: new Registry("discovery", [discovery]),
      checks: new Registry("healthcheck", [check]),
      checkPlaces: new CheckPlaces(4),
      ...{ counters: cells, slots, names, clock, log, random: () => 0 },
      run: runProgram,
      wallTime: () => clock.now(),
      onTable: (table) => tables.push(table),
      onLeave: (gone, drained) => void (drained ? cut : left).push([...gone]),
    });
  const addresses = () => tables.at(-1)!.members.map(({ address, port }) => `${address}:${port}`);
  return { start, clock, log, cells, slots, tables, left, cut, world, addresses };
}

Deno.test("a pool's table has what discovery found, and changes only when that does", async () => {
  const { start, clock, tables, world, addresses } = setUp();
  world.lists = [[backend("10.0.0.1"), backend("10.0.0.2", { weight: 3 })]];
  const pool = start();
  await clock.advance(5_000);
  assert.deepEqual(addresses(), ["10.0.0.1:80", "10.0.0.2:80"]);
  assert.equal(tables.length, 2, "the empty table of the start, and this one");
  world.lists = [[backend("10.0.0.1"), backend("10.0.0.2", { weight: 4 })]];
  await clock.advance(1_000);
  assert.equal(tables.length, 3, "a change of weight alone is noticed");
  assert.equal(tables[2]!.members[1]!.slot, tables[1]!.members[1]!.slot);
  await pool.ready;
  pool.stop(1);
});

Deno.test("a backend that leaves stays listed until its last session ends, and its slot is free then", async () => {
  const { start, clock, cells, slots, left, world, addresses } = setUp();
  world.lists = [[backend("10.0.0.1"), backend("10.0.0.2")], [backend("10.0.0.1")]];
  const pool = start();
  await clock.advance(0);
  const slot = pool.status().length + 1; // pool 1, backends 2 and 3
  cells.take(slot, 0);
  await clock.advance(1_000);
  assert.deepEqual(addresses(), ["10.0.0.1:80"]);
  assert.deepEqual(left, [[slot]]);
  pool.sample(clock.now());
  assert.deepEqual(pool.status().map(({ discovered }) => discovered), [true, false]);
  cells.release(slot);
  pool.sample(clock.now());
  assert.equal(pool.status().length, 1);
  slots.sweep(Infinity);
  assert.equal(slots.take(), slot);
  pool.stop(1);
});

Deno.test("a failing discovery keeps the last list, or empties it with setempty", async () => {
  for (const [failpolicy, after] of [["keeplast", ["10.0.0.1:80"]], ["setempty", []]] as const) {
    const { start, clock, log, world, addresses } = setUp({
      discoveries: [{ ...DISCOVERY, failpolicy }],
    });
    world.lists = [[backend("10.0.0.1")], new Error("source is down")];
    const pool = start();
    await clock.advance(1_000);
    assert.deepEqual(addresses(), after);
    const kept = after.length;
    assert.ok(
      log.lines.includes(
        `error discovery failed pool=p kind=fake source= why=source is down backends=${kept}`,
      ),
    );
    pool.stop(1);
  }
});

Deno.test("checks flip a backend after enough results in a row, and the log says so once", async () => {
  const { start, clock, log, cells, world } = setUp({ check: CHECK });
  world.lists = [[backend("10.0.0.1")]];
  const pool = start();
  await clock.advance(0);
  world.passes = () => new Error("connection refused");
  await clock.advance(1_000);
  assert.equal(pool.status()[0]!.live, true);
  await clock.advance(1_000);
  assert.equal(pool.status()[0]!.live, false);
  assert.equal(cells.flags(2), DOWN);
  await clock.advance(10_000);
  world.passes = () => ({ passed: true, text: "connected" });
  await clock.advance(1_000);
  assert.equal(cells.flags(2), 0);
  assert.deepEqual(log.lines.slice(1), [
    "warning backend is down pool=p backend=10.0.0.1:80 why=connection refused",
    "error pool has no live backend: its clients are turned away pool=p",
    "info backend is live pool=p backend=10.0.0.1:80 why=connected",
    "info pool has live backends pool=p",
  ]);
  pool.stop(1);
  const asked = world.checked.length;
  await clock.advance(10_000);
  assert.equal(world.checked.length, asked, "a stopped pool checks nobody");
});

Deno.test("a backend that is unhealthy at first takes nothing before it has passed", async () => {
  const { start, clock, cells, world } = setUp({ check: { ...CHECK, initiallyLive: false } });
  world.lists = [[backend("10.0.0.1")]];
  world.passes = () => ({ passed: false, text: "no" });
  const pool = start();
  await clock.advance(0);
  assert.equal(cells.flags(2), DOWN);
  world.passes = () => ({ passed: true, text: "yes" });
  await clock.advance(1_000);
  assert.equal(cells.flags(2), 0);
  pool.stop(1);
});

Deno.test("health survives discovery updates; a pool without checks has no dead backends", async () => {
  const { start, clock, cells, world } = setUp({ check: { ...CHECK, fails: 1 } });
  world.lists = [[backend("10.0.0.1")], [backend("10.0.0.1", { weight: 9 })]];
  world.passes = () => ({ passed: false, text: "no" });
  const pool = start();
  await clock.advance(1_500);
  assert.equal(cells.flags(2), DOWN);
  const { check: _check, ...unchecked } = pool.spec;
  pool.update(unchecked);
  assert.equal(cells.flags(2), 0);
  pool.stop(1);
});

Deno.test("a name becomes its address, several addresses become several backends, which keep the name", async () => {
  const { start, clock, tables, world, addresses } = setUp();
  world.lists = [[backend("one.test"), backend("10.0.0.9"), backend("not.yet")]];
  world.hosts = { "one.test": ["10.1.0.1"] };
  const pool = start();
  await clock.advance(0);
  assert.deepEqual(addresses().sort(), ["10.0.0.9:80", "10.1.0.1:80"]);
  assert.deepEqual(pool.status().map((status) => [status.backend.host, status.live]), [
    ["one.test", true],
    ["10.0.0.9", true],
    ["not.yet", false],
  ]);
  world.hosts = { "one.test": ["10.1.0.1", "10.1.0.2"], "not.yet": ["10.2.0.1"] };
  await clock.advance(2_000);
  assert.deepEqual(addresses().sort(), [
    "10.0.0.9:80",
    "10.1.0.1:80",
    "10.1.0.2:80",
    "10.2.0.1:80",
  ]);
  const named = tables.at(-1)!.members.filter(({ name }) => name !== undefined);
  assert.deepEqual(named.map(({ name, host }) => `${name} ${host}`).sort(), [
    "one.test 10.1.0.1",
    "one.test 10.1.0.2",
  ]);
  pool.stop(1);
});

Deno.test("names with hundreds of addresses under hundreds of ports take no more slots than there are", async () => {
  const { start, clock, world, log, tables } = setUp();
  const ports = Array.from({ length: 300 }, (_, i) => i + 1);
  world.lists = [ports.map((port) => ({ ...backend("many.test"), port }))];
  world.hosts["many.test"] = Array.from({ length: 256 }, (_, i) => `10.0.0.${i}`);
  const pool = start();
  await clock.advance(1_000);
  assert(tables.at(-1)!.members.length <= SLOTS);
  assert(log.lines.some((line) => /^warning backends were skipped pool=p count=/.test(line)));
  pool.stop(1);
});

Deno.test("a check that never settles gives its place back, and counts as a failure", async () => {
  const { start, clock, world } = setUp({ check: { ...CHECK, timeoutMs: 10, fails: 1 } });
  world.lists = [[backend("10.0.0.1")]];
  world.hangs = true;
  const pool = start();
  await clock.advance(0);
  const status = () => pool.status()[0]!;
  for (let i = 0; i < 30 && status().live; i++) {
    await clock.advance(100);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.deepEqual([status().live, status().lastCheck], [false, "no answer in time"]);
  pool.stop(1);
  await new Promise((resolve) => setTimeout(resolve, 1_200)); // one that was under way keeps its place for so long
});

Deno.test("several discoveries are merged; of two entries with one key the later wins", async () => {
  const { start, clock, tables, world } = setUp({ discoveries: [DISCOVERY, DISCOVERY] });
  world.lists = [
    [backend("10.0.0.1"), backend("10.0.0.2")],
    [backend("10.0.0.2", { weight: 7 }), backend("10.0.0.3")],
  ];
  const pool = start();
  await clock.advance(0);
  assert.deepEqual(tables.at(-1)!.members.map(({ host, weight }) => `${host} ${weight}`), [
    "10.0.0.1 1",
    "10.0.0.2 7",
    "10.0.0.3 1",
  ]);
  pool.stop(1);
});

Deno.test("update() restarts only what changed", async () => {
  const { start, clock, tables, world } = setUp({ check: CHECK });
  world.lists = [[backend("10.0.0.1")]];
  const pool = start();
  await clock.advance(100);
  const asked = world.checked.length;
  pool.update({ ...pool.spec, strategy: "leastconn" });
  await clock.advance(0);
  assert.equal(tables.at(-1)!.strategy, "leastconn");
  assert.equal(world.checked.length, asked);
  pool.update({ ...pool.spec, check: { ...CHECK, intervalMs: 50 } });
  await clock.advance(0);
  assert.equal(world.checked.length, asked + 1);
  pool.stop(1);
});

Deno.test("adjust() sets weights and drains, over discovery updates, and takes them back", async () => {
  const { start, clock, cells, tables, world } = setUp();
  world.lists = [[backend("10.0.0.1", { weight: 5 })], [], [backend("10.0.0.1", { weight: 6 })]];
  const pool = start();
  await clock.advance(0);
  pool.adjust({ "10.0.0.1:80": { weight: 0, draining: true } });
  assert.equal(tables.at(-1)!.members[0]!.weight, 0);
  assert.equal(cells.flags(2), DRAINING);
  assert.equal(pool.status()[0]!.draining, true);
  await clock.advance(1_000);
  pool.sample(clock.now());
  await clock.advance(1_000);
  const { slot, weight } = tables.at(-1)!.members[0]!;
  assert.deepEqual([weight, cells.flags(slot)], [0, DRAINING], "it went and came back");
  pool.adjust({});
  assert.equal(tables.at(-1)!.members[0]!.weight, 6);
  assert.equal(cells.flags(slot), 0);
  pool.stop(1);
});

Deno.test("a drain with an end has its last sessions cut then, and not after an enable", async () => {
  const { start, clock, cut, world } = setUp();
  world.lists = [[backend("10.0.0.1"), backend("10.0.0.2")]];
  const pool = start();
  await clock.advance(0);
  pool.adjust({
    "10.0.0.1:80": { draining: true, drainUntilMs: 5_000 },
    "10.0.0.2:80": { draining: true, drainUntilMs: 5_000 },
  });
  await clock.advance(4_999);
  pool.adjust({ "10.0.0.1:80": { draining: true, drainUntilMs: 5_000 } });
  assert.deepEqual(cut, []);
  await clock.advance(1);
  assert.deepEqual(cut, [[2]]);
  pool.stop(1);
});

Deno.test("a source that has stopped telling of changes is listened to again soon, not at its interval", async () => {
  let listened = 0;
  const { start, clock, log, world, addresses } = setUp(
    { discoveries: [{ ...DISCOVERY, intervalMs: 3_600_000 }] },
    // deno-lint-ignore require-yield
    async function* () {
      listened++;
      throw new Error("it broke off");
    },
  );
  world.lists = [[backend("10.0.0.1")]];
  const pool = start();
  await clock.advance(0);
  assert.deepEqual(addresses(), ["10.0.0.1:80"]);
  const found =
    "info discovery lists other backends pool=p kind=fake source= backends=1 added=1 removed=0";
  assert.deepEqual(log.lines, [found], "once may be chance");
  await clock.advance(10_000);
  assert.equal(listened, 4, "after 1, 3 and 7 s");
  assert.deepEqual(log.lines, [
    found,
    "warning a source doesn't tell of changes: it is asked again and again pool=p kind=fake source= why=it broke off",
  ]);
  pool.stop(1);
});

Deno.test("a check is made at the port and the address that its section says", async () => {
  const check = { ...CHECK, port: 8_080, address: "10.9.9.9" };
  const { start, clock, world } = setUp({ check });
  world.lists = [[backend("10.0.0.1")]];
  const pool = start();
  await clock.advance(0);
  assert.deepEqual(world.targets, [
    { host: "10.0.0.1", address: "10.9.9.9", port: 8_080, elsewhere: true },
  ]);
  pool.update({ ...pool.spec, check: CHECK });
  await clock.advance(0);
  assert.deepEqual(world.targets[1], {
    ...{ host: "10.0.0.1", address: "10.0.0.1", port: 80, elsewhere: false },
  });
  pool.stop(1);
});

Deno.test("an answer that says neither leaves a backend what it is, and is told of once", async () => {
  const { start, clock, log, world } = setUp({ check: { ...CHECK, fails: 1 } });
  world.lists = [[backend("10.0.0.1")]];
  const unclear = { passed: false, text: "hm", unclear: true };
  world.passes = () => unclear;
  const pool = start();
  await clock.advance(5_000);
  assert.deepEqual(pool.status().map(({ live, lastCheck }) => [live, lastCheck]), [[true, "hm"]]);
  world.passes = () => ({ passed: false, text: "no" });
  await clock.advance(1_000);
  world.passes = () => unclear;
  await clock.advance(5_000);
  assert.deepEqual(pool.status().map(({ live }) => live), [false]);
  const told = log.lines.filter((line) => line.startsWith("warning a check has no result"));
  assert.equal(told.length, 2, "once each time it begins");
  pool.stop(1);
});

Deno.test("a backend's own weight and drain are in force until it, or another kind of check, takes them back", async () => {
  const { start, clock, cells, tables, world } = setUp({ check: CHECK });
  world.lists = [[backend("10.0.0.1", { weight: 10 })]];
  const say = async (advice: Advice) => {
    world.passes = () => ({ passed: true, text: "ok", advice });
    await clock.advance(1_000);
    const { weight, slot } = tables.at(-1)!.members[0]!;
    return [weight, cells.flags(slot)];
  };
  const pool = start();
  assert.deepEqual(await say({ weightPercent: 25 }), [3, 0], "rounded up");
  assert.deepEqual(await say({ drain: true }), [3, DRAINING], "the weight stays");
  assert.equal(pool.status()[0]!.draining, true);
  pool.adjust({ "10.0.0.1:80": { weight: 7 } });
  assert.deepEqual(await say({ weightPercent: 50, drain: false }), [7, 0], "operators' word wins");
  pool.adjust({});
  assert.deepEqual(await say({ weightPercent: 0, drain: true }), [0, DRAINING]);
  pool.update({ ...pool.spec, check: { ...CHECK, fails: 9 } });
  assert.deepEqual(await say({}), [0, DRAINING], "the same agent, asked otherwise");
  pool.update({ ...pool.spec, check: undefined });
  assert.deepEqual(await say({}), [10, 0]);
  pool.stop(1);
});
