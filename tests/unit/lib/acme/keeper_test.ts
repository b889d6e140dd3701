import assert from "node:assert/strict";
import { acmeFile, acmeFolder } from "../../../../lib/acme/files.ts";
import { AcmeKeeper } from "../../../../lib/acme/keeper.ts";
import { AcmeStore } from "../../../../lib/acme/store.ts";
import { newKey, selfSigned } from "../../../../lib/net/self_signed.ts";
import { ManualClock } from "../../../support/clock.ts";
import { MemoryLog } from "../../../support/log.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
/** The calendar passes so much faster than the clock, or the keeper would look millions of times. */
const FAST = 1_000;
const START_MS = Date.UTC(2030, 0, 1);

const key = newKey();

/** A keeper on a clock of its own, with an authority that gives 90 days. */
function setUp(folder: string) {
  const clock = new ManualClock();
  const log = new MemoryLog();
  const asked: string[] = [];
  const world = { hosts: ["a.test"], fails: false };
  const wallTime = () => START_MS + clock.now() * FAST;
  const stop = new AbortController();
  const store = new AcmeStore(acmeFolder(folder, "https://acme.test/"));
  const keeper = new AcmeKeeper({
    ...{ clock, log, wallTime, store, random: () => 0 },
    hosts: () => world.hosts,
    issue: (host) => {
      asked.push(host);
      if (world.fails) return Promise.reject(new Error("rate limited"));
      const [notBefore, notAfter] = [0, 90 * DAY_MS].map((ms) => new Date(wallTime() + ms));
      const serial = Uint8Array.of(1);
      const options = { name: host, host, notBefore: notBefore!, notAfter: notAfter!, serial };
      return Promise.resolve({ key, cert: selfSigned(key, options) });
    },
  });
  const running = keeper.run(stop.signal);
  const end = async () => {
    stop.abort();
    await running;
  };
  return { clock, log, asked, world, end, store };
}

/** Lets time pass in steps, since what happens in one may wait for the disk. */
async function pass(clock: ManualClock, ms: number, steps = 20): Promise<void> {
  for (let i = 0; i < steps; i++) {
    await clock.advance(ms / FAST / steps);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

Deno.test("a host gets its certificate at once, and a new one when a third of its time is left", async () => {
  await using folder = new TemporaryFolder();
  const { clock, asked, end } = setUp(folder.path);
  await pass(clock, HOUR_MS);
  assert.deepEqual(asked, ["a.test"]);
  await pass(clock, 56 * DAY_MS);
  assert.deepEqual(asked, ["a.test"], "it is good for long");
  await pass(clock, 4.1 * DAY_MS, 60);
  assert.deepEqual(asked, ["a.test", "a.test"]);
  await end();
  const again = setUp(folder.path);
  await pass(again.clock, HOUR_MS);
  assert.deepEqual(again.asked, [], "what is on the disk counts");
  await again.end();
});

Deno.test("hosts come and go; one that fails is tried again later and later, and keeps nobody else waiting", async () => {
  await using folder = new TemporaryFolder();
  const { clock, asked, log, world, end } = setUp(folder.path);
  const times = (host: string) => asked.filter((each) => each === host).length;
  world.fails = true;
  await pass(clock, HOUR_MS / 2);
  assert.match(log.lines[0]!, /^error no certificate could be had .*rate limited.*retry_in_s=120$/);
  await pass(clock, 24 * HOUR_MS, 60);
  const pauses = log.lines.map((line) => Number(/retry_in_s=(\d+)/.exec(line)![1]));
  assert.deepEqual(pauses.slice(0, 9), [120, 240, 480, 960, 1920, 3840, 7680, 15360, 21600]);
  assert(times("a.test") < 14, String(times("a.test")));
  world.hosts = ["a.test", "b.test"];
  await pass(clock, HOUR_MS);
  assert.equal(times("b.test") > 0, true, "it doesn't wait for the other");
  world.hosts = ["b.test"];
  world.fails = false;
  const before = times("a.test");
  await pass(clock, 10 * HOUR_MS);
  assert.equal(times("a.test"), before);
  assert.match(log.lines.at(-1)!, /^info certificate issued host=b\.test not_after=2030-/);
  await end();
});

Deno.test("a file that goes, or can't be used, is replaced at once", async () => {
  await using folder = new TemporaryFolder();
  const { clock, asked, store, end } = setUp(folder.path);
  const file = acmeFile(store.folder, "a.test");
  await pass(clock, HOUR_MS);
  await Deno.remove(file);
  await pass(clock, HOUR_MS);
  assert.equal(asked.length, 2);
  assert((await Deno.stat(file)).isFile);
  await end();
  await Deno.writeTextFile(file, `${newKey()}${(await Deno.readTextFile(file)).slice(key.length)}`);
  const again = setUp(folder.path);
  await pass(again.clock, HOUR_MS);
  assert.equal(again.asked.length, 1, "the key isn't the certificate's");
  await again.end();
});

Deno.test("failures count over a restart, and a clock that was wrong doesn't stop anybody for long", async () => {
  await using folder = new TemporaryFolder();
  const first = setUp(folder.path);
  first.world.fails = true;
  await pass(first.clock, 3 * HOUR_MS, 60);
  const count = first.asked.length;
  assert(count >= 3 && count <= 6, String(count));
  await first.end();
  const again = setUp(folder.path); // three hours earlier, by the calendar
  await pass(again.clock, HOUR_MS / 60);
  assert.deepEqual(again.asked, [], "it isn't time yet");
  await again.end();
  first.store.setFailures("a.test", { count: 9, againMs: START_MS + 1_000 * 24 * HOUR_MS });
  const third = setUp(folder.path);
  await pass(third.clock, HOUR_MS);
  assert.deepEqual(third.asked, ["a.test"]);
  await third.end();
});

Deno.test("a certificate that can't be written isn't asked for twice", async () => {
  await using folder = new TemporaryFolder();
  const { clock, asked, log, store, end } = setUp(folder.path);
  const file = acmeFile(store.folder, "a.test");
  await Deno.mkdir(`${file}/in-the-way`, { recursive: true });
  await pass(clock, 2 * HOUR_MS, 60);
  assert.deepEqual(asked, ["a.test"]);
  assert(
    log.lines.length >= 3 && log.lines.every((line) => line.startsWith("error no certificate")),
  );
  await Deno.remove(file, { recursive: true });
  await pass(clock, 24 * HOUR_MS, 60);
  assert.deepEqual(asked, ["a.test"]);
  assert.match(log.lines.at(-1)!, /^info certificate issued/);
  await end();
});
