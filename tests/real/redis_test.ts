import assert from "node:assert/strict";
import { until } from "../support/backends.ts";
import { needs, run } from "../support/real.ts";
import { Balanced } from "./_balanced.ts";
import { Daemon, Folder, freePort, unprivileged } from "./_daemon.ts";

const options = needs(["redis-server", "redis-cli", "redis-benchmark", "setpriv"]);

/** Redis on 127.0.0.1 and 127.0.0.2, without a file, and Twixt in front of the two addresses. */
async function startRedis(stack: AsyncDisposableStack): Promise<Balanced> {
  const { path } = stack.use(await Folder.make());
  const port = freePort();
  const settings = ["--bind", "127.0.0.1", "127.0.0.2", "--save", "", "--appendonly", "no"];
  const argv = unprivileged(["redis-server", "--port", port, "--dir", path, ...settings]);
  stack.use(await Daemon.start(argv, port));
  return stack.use(await Balanced.start([`127.0.0.1:${port}`, `127.0.0.2:${port}`]));
}

Deno.test("redis: redis-benchmark, 16 commands at once on 50 connections", options, async () => {
  await using stack = new AsyncDisposableStack();
  const balanced = await startRedis(stack);
  const load = ["-P", 16, "-c", 50, "-n", 200_000, "-t", "set,get,lrange", "-q"];
  const said = await run(["redis-benchmark", "-p", balanced.port, ...load]);
  assert.doesNotMatch(said, /error|warning|refused|reset/i);
  for (const test of ["SET", "GET", "LRANGE_100", "LRANGE_300", "LRANGE_500", "LRANGE_600"]) {
    assert.match(said, new RegExp(`${test}\\b.*: [0-9.]+ requests per second`), said);
  }
  await balanced.assertClean();
});

Deno.test("redis: 100,000 keys in one pipeline, all answered", options, async () => {
  await using stack = new AsyncDisposableStack();
  const balanced = await startRedis(stack);
  const said = await run(["redis-cli", "-p", balanced.port, "--pipe"], importOf(100_000));
  assert.match(said, /errors: 0, replies: 100000\n/);
  assert.equal(await run(["redis-cli", "-p", balanced.port, "DBSIZE"]), "100000\n");
  const last = await run(["redis-cli", "-p", balanced.port, "GET", "key:99999"]);
  assert.equal(last, "value of 99999\n");
  await balanced.assertClean();
});

/** SET commands in Redis's protocol. */
function importOf(keys: number): string {
  const words = (i: number) => ["SET", `key:${i}`, `value of ${i}`];
  const bulk = (word: string) => `$${word.length}\r\n${word}\r\n`;
  return Array.from({ length: keys }, (_, i) => `*3\r\n${words(i).map(bulk).join("")}`).join("");
}

Deno.test("redis: a subscriber gets all that is published, in order", options, async () => {
  await using stack = new AsyncDisposableStack();
  const balanced = await startRedis(stack);
  const cli = (...args: string[]) => run(["redis-cli", "-p", balanced.port, ...args]);
  {
    const argv = ["redis-cli", "-p", balanced.port, "SUBSCRIBE", "news"] as const;
    await using subscriber = await Daemon.start(unprivileged(argv), balanced.port);
    await until(async () => await cli("PUBSUB", "NUMSUB", "news") === "news\n1\n");
    await run(["redis-cli", "-p", balanced.port], publications(0, 5_000));
    await new Promise((resolve) => setTimeout(resolve, 3_000)); // silent for longer than any timer's tick
    await run(["redis-cli", "-p", balanced.port], publications(5_000, 10_000));
    const got = () => [...subscriber.log.matchAll(/^message\nnews\n(\d+)\n/gm)].map(([, i]) => +i!);
    await until(() => got().length >= 10_000, 20_000, "the last message");
    assert.deepEqual(got(), Array.from({ length: 10_000 }, (_, i) => i));
  }
  await balanced.assertClean();
});

function publications(from: number, to: number): string {
  return Array.from({ length: to - from }, (_, i) => `PUBLISH news ${from + i}\n`).join("");
}
