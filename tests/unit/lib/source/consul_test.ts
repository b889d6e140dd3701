import assert from "node:assert/strict";
import { StartError } from "../../../../lib/errors.ts";
import { type ConsulOptions, consulSource } from "../../../../lib/source/consul.ts";
import { until } from "../../../support/backends.ts";
import { ManualClock } from "../../../support/clock.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";
import { WebServer } from "../../../support/web_server.ts";

function sourceOf(address: string, options: Partial<ConsulOptions> = {}) {
  return consulSource(address, {
    ...{ key: "gobetween", scheme: "http", token: {} },
    ...{ clock: new ManualClock(), random: () => 0 },
    ...options,
  });
}

function value(text: string | null, index: string | null = "5"): Response {
  const headers = new Headers();
  if (index !== null) headers.set("x-consul-index", index);
  return Response.json([{ Key: "x", Value: text === null ? null : btoa(text) }], { headers });
}

async function failure(reading: Promise<unknown>): Promise<string> {
  try {
    await reading;
  } catch (error) {
    assert.ok(error instanceof StartError, String(error));
    assert.equal(error.usage, false);
    return `${error.message}\n${error.hint}`;
  }
  assert.fail("it reads");
}

Deno.test("a key of Consul is asked for as it is written, with token and datacenter", async () => {
  await using server = new WebServer(() => value("a"));
  const key = "lb/one two?&.json";
  const token = { value: "secret" };
  const base = await sourceOf(server.address, { key, token, datacenter: "eu 1" }).read();
  const name = `key "${key}" of Consul at ${server.address}`;
  assert.deepEqual(base, { text: "a", file: name, format: "json" });
  const { url, headers } = server.requests[0]!;
  assert.equal(url, `http://${server.address}/v1/kv/lb/one%20two%3F%26.json?dc=eu+1`);
  assert.equal(headers.get("x-consul-token"), "secret");
});

Deno.test("the token's file is read each time, and comes before the variable", async () => {
  await using folder = new TemporaryFolder();
  await using server = new WebServer(() => value("a"));
  const file = `${folder.path}/token`;
  const source = sourceOf(server.address, { token: { value: "x", file } });
  assert.match(await failure(source.read()), /^the token file \S+ does not exist\n/);
  for (const token of ["one", "two"]) {
    await Deno.writeTextFile(file, `${token}\n`);
    await source.read();
    assert.equal(server.requests.at(-1)!.headers.get("x-consul-token"), token);
  }
});

const PUT = "put a configuration there: consul kv put gobetween @twixt.toml";
const ADDRESS = "is the address that of a Consul agent's HTTP API?";

Deno.test.each([
  { answer: () => value(null), says: `it is empty\n${PUT}` },
  { answer: () => value("\xff"), says: `its value is not UTF-8 text\n${PUT}` },
  { answer: () => new Response("<html>"), says: `the answer isn't Consul's\n${ADDRESS}` },
  { answer: () => Response.json([]), says: `the answer isn't Consul's\n${ADDRESS}` },
  { answer: () => Response.json([{ Value: "?" }]), says: `the answer isn't Consul's\n${ADDRESS}` },
  { answer: () => new Response("", { status: 404 }), says: `there is no such key\n${PUT}` },
  {
    answer: () => new Response("No cluster leader", { status: 500 }),
    says: "status 500: No cluster leader\nlook at Consul's log",
  },
  {
    answer: () => new Response(null, { status: 302, headers: { location: "http://x/" } }),
    says: `status 302\n${ADDRESS}`,
  },
  {
    answer: () => new Response("Permission denied", { status: 403 }),
    says: "its ACLs don't let anybody without a token read it: Permission denied\n" +
      "give a token that may, in CONSUL_HTTP_TOKEN or CONSUL_HTTP_TOKEN_FILE; " +
      'its policy needs key "gobetween" { policy = "read" }',
  },
])("read() of a key of Consul says $says", async ({ answer, says }) => {
  await using server = new WebServer(answer);
  const told = await failure(sourceOf(server.address).read());
  assert.equal(told, `key "gobetween" of Consul at ${server.address}: ${says}`);
});

Deno.test.each([
  { address: "consul", key: "k", says: 'Consul: "consul" has no port' },
  { address: "http://c:8500", key: "k", says: 'Consul: "http://c:8500" is a URL' },
  { address: ":8500", key: "k", says: 'Consul: ":8500" has no host' },
  { address: "c:8500", key: "/k", says: '"/k" can\'t be a key of Consul' },
  { address: "c:8500", key: "a/../k", says: '"a/../k" can\'t be a key of Consul' },
  { address: "c:8500", key: "", says: '"" can\'t be a key of Consul' },
])("consulSource() refuses $address with $key", ({ address, key, says }) => {
  assert.throws(() => sourceOf(address, { key }), { message: says, usage: true });
});

Deno.test("a watched key of Consul waits with the index, and starts anew when that goes back", async () => {
  const answers: { text: string | null; index: string | null }[] = [];
  const waiting: (() => void)[] = [];
  await using server = new WebServer(async () => {
    if (answers.length === 0) await new Promise<void>((resolve) => waiting.push(resolve));
    const { text, index } = answers.shift() ?? { text: "end", index: "1" };
    return value(text, index);
  });
  const clock = new ManualClock();
  const source = sourceOf(server.address, { clock, waitMs: 20_000 });
  const told: string[] = [];
  answers.push({ text: "a", index: "7" });
  await source.read();
  const stop = new AbortController();
  const ended = source.watch!({
    changed: ({ text }) => told.push(text),
    failed: (why) => told.push(why.replace(/^.*?: /, "")),
    recovered: () => told.push("recovered"),
  }, stop.signal);
  const asked = () => {
    const { searchParams } = new URL(server.requests.at(-1)!.url);
    return [searchParams.get("index"), searchParams.get("wait")].join(" ");
  };
  const answer = async (text: string | null, index: string | null, pauseMs = 100) => {
    const before = server.requests.length;
    answers.push({ text, index });
    waiting.shift()!();
    await until(() => clock.sleeping === 1);
    await clock.advance(pauseMs);
    await until(() => server.requests.length === before + 1 && waiting.length === 1);
  };
  await until(() => waiting.length === 1);
  assert.equal(asked(), "7 20000ms");
  await answer("a", "7");
  assert.deepEqual(told, [], "the wait was over, nothing has changed");
  await answer("b", "9");
  assert.equal(asked(), "9 20000ms");
  await answer("b", "3");
  assert.equal(asked(), " ", "the index has gone back");
  await answer("c", "3");
  assert.equal(asked(), "3 20000ms");
  await answer("c", "0");
  assert.equal(asked(), " ");
  await answer("c", "0");
  assert.equal(asked(), "1 20000ms", "0 would be answered at once, again and again");
  await answer(null, "4", 1_000);
  assert.equal(asked(), " ");
  await answer("d", "4");
  assert.deepEqual(told, ["b", "c", `it is empty; ${PUT}`, "recovered", "d"]);
  stop.abort();
  await ended;
  for (const resolve of waiting) resolve();
});
