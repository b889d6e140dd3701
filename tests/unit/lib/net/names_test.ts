import assert from "node:assert/strict";
import type { Addresses as Answer } from "../../../../lib/net/dns/addresses.ts";
import { fromHosts } from "../../../../lib/net/dns/hosts.ts";
import { lookup } from "../../../../lib/net/lookup.ts";
import { type FailedNames, Names } from "../../../../lib/net/names.ts";
import { ManualClock } from "../../../support/clock.ts";

function setUp(answers: (Answer | Error)[]) {
  const clock = new ManualClock();
  const failures: string[] = [];
  const asked: string[] = [];
  const names = new Names({
    clock,
    random: () => 0,
    lookup: (host) => {
      asked.push(`${clock.now()} ${host}`);
      const answer = answers.shift() ?? new Error("no more answers");
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
    onFailures: ({ examples }) => failures.push(...examples),
  });
  return { clock, names, failures, asked };
}

Deno.test("a name is asked for once for all its watchers, and again when its TTL ends", async () => {
  const { clock, names, asked } = setUp([
    { addresses: ["10.0.0.2", "10.0.0.1"], ttlMs: 5_000 },
    { addresses: ["10.0.0.1", "10.0.0.2"], ttlMs: 5_000 },
    { addresses: ["10.0.0.3"], ttlMs: 5_000 },
  ]);
  let changes = 0;
  const changed = () => changes++;
  const other = () => {};
  names.watch("a.test", changed);
  names.watch("a.test", other);
  assert.equal(names.addresses("a.test"), undefined);
  await clock.advance(0);
  assert.deepEqual(names.addresses("a.test"), ["10.0.0.1", "10.0.0.2"]);
  await clock.advance(5_000);
  assert.equal(changes, 1, "the same addresses in another order are no change");
  await clock.advance(5_000);
  assert.deepEqual([names.addresses("a.test"), changes], [["10.0.0.3"], 2]);
  assert.deepEqual(asked, ["0 a.test", "5000 a.test", "10000 a.test"]);
  names.unwatch("a.test", changed);
  assert.deepEqual(names.addresses("a.test"), ["10.0.0.3"]);
  names.unwatch("a.test", other);
  assert.equal(names.addresses("a.test"), undefined);
});

Deno.test("a name that can't be resolved any more keeps its addresses, and is reported once", async () => {
  const { clock, names, failures } = setUp([
    { addresses: ["10.0.0.1"], ttlMs: 1_000 },
    new Error("SERVFAIL"),
    new Error("SERVFAIL"),
    { addresses: ["10.0.0.1"], ttlMs: 1_000 },
    new Error("timeout"),
  ]);
  const changed = () => {};
  names.watch("a.test", changed);
  await clock.advance(3_000);
  assert.deepEqual(names.addresses("a.test"), ["10.0.0.1"]);
  assert.deepEqual(failures, ["a.test: SERVFAIL"]);
  await clock.advance(3_000);
  assert.deepEqual(failures, ["a.test: SERVFAIL", "a.test: timeout"]);
  names.unwatch("a.test", changed);
});

Deno.test("eight names are asked for at a time, failures are told together, addresses are bounded", async () => {
  const clock = new ManualClock();
  const told: FailedNames[] = [];
  const changed = () => {};
  const answers: ((answer: Answer | Error) => void)[] = [];
  const names = new Names({
    clock,
    random: () => 0,
    lookup: () =>
      new Promise((resolve, reject) =>
        answers.push((answer) => answer instanceof Error ? reject(answer) : resolve(answer))
      ),
    onFailures: (failed) => told.push(failed),
  });
  const hosts = Array.from({ length: 20 }, (_, i) => `${i}.test`);
  for (const host of hosts) names.watch(host, changed);
  await clock.advance(0);
  assert.equal(answers.length, 8);
  const addresses = Array.from({ length: 300 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
  answers[0]!({ addresses, ttlMs: 3e10 });
  for (let i = 1; i < 20; i++) {
    await clock.advance(0);
    answers[i]!(new Error("nobody"));
  }
  await clock.advance(999);
  assert.equal(told.length, 0);
  await clock.advance(1);
  assert.deepEqual(told.map((one) => [one.count, one.examples.length]), [[19, 5]]);
  assert.equal(names.addresses("0.test")!.length, 256);
  for (const host of hosts) names.unwatch(host, changed);
  for (const answer of answers) answer(new Error("over"));
  await clock.advance(0);
});

Deno.test("a TTL of 0 is used for a second, one of a year for an hour", async () => {
  const { clock, names, asked } = setUp([
    { addresses: ["10.0.0.1"], ttlMs: 0 },
    { addresses: ["10.0.0.1"], ttlMs: 3e10 },
    { addresses: ["10.0.0.1"], ttlMs: 3e10 },
  ]);
  const changed = () => {};
  names.watch("a.test", changed);
  await clock.advance(1_000 + 3_600_000);
  assert.deepEqual(asked, ["0 a.test", "1000 a.test", "3601000 a.test"]);
  names.unwatch("a.test", changed);
});

const HOSTS = `
127.0.0.1   localhost
::1         localhost ip6-localhost   # loopback
10.0.0.7    App.example app           # 10.0.0.8 app
fe80::1     only-six
not-an-ip   app
`;

Deno.test.each([
  { host: "localhost", addresses: ["127.0.0.1"] },
  { host: "APP.EXAMPLE", addresses: ["10.0.0.7"] },
  { host: "app", addresses: ["10.0.0.7"] },
  { host: "only-six", addresses: ["fe80::1"] },
  { host: "ip6-localhost", addresses: ["::1"] },
  { host: "loopback", addresses: [] },
])("fromHosts() finds $host: $addresses", ({ host, addresses }) => {
  assert.deepEqual(fromHosts(HOSTS, host), addresses);
});

Deno.test("lookup() knows localhost without asking anybody", async () => {
  assert.deepEqual((await lookup("localhost", new AbortController().signal)).addresses, [
    "127.0.0.1",
  ]);
});
