/** A server of datagrams, by real sockets on loopback. */
import assert from "node:assert/strict";
import type { ServerTable } from "../../../lib/model.ts";
import {
  DENIED,
  DOWN,
  DRAINING,
  EVICTED,
  NO_BACKEND,
  OVER_CAPACITY,
  OVER_LIMIT,
  OVERSIZE,
  PROCESS_SLOT,
  REFUSED,
  RX,
  TOTAL,
  TX,
} from "../../../lib/stats/layout.ts";
import type { UdpSpec } from "../../../lib/udp_spec.ts";
import { until } from "../../support/backends.ts";
import { freePort } from "../../support/clients.ts";
import { member } from "../../support/members.ts";
import { BACKEND_SLOT, LIMITS, Plane, SERVER_SLOT } from "../../support/plane.ts";
import { named, UDP, UdpPeer } from "../../support/udp.ts";

/** A server of datagrams in front of these backends. */
function balanced(
  backends: readonly UdpPeer[],
  udp: Partial<UdpSpec> = {},
  server: Partial<ServerTable> = {},
  strategy?: string,
): Plane {
  const table = { protocol: "udp", udp: { ...UDP, ...udp }, ...server } as const;
  return new Plane(backends.map(({ port }) => port), {}, table, strategy);
}

function serve(plane: Plane, udp: Partial<UdpSpec>, server: Partial<ServerTable> = {}): void {
  Object.assign(plane.server, { udp: { ...UDP, ...udp }, ...server });
  plane.serve();
}

Deno.test("udp: a client's datagrams stay on one backend, and its answers come from the server", async () => {
  await using one = named("one");
  await using two = named("two");
  await using plane = balanced([one, two]);
  await using client = new UdpPeer();
  const first = (await client.ask("0", plane.port))!.slice(0, 3);
  for (let i = 1; i < 20; i++) assert.equal(await client.ask(`${i}`, plane.port), `${first} ${i}`);
  assert.ok(client.got.every(({ from }) => from.port === plane.port));
  await using other = new UdpPeer();
  assert.equal(await other.ask("x", plane.port), `${first === "one" ? "two" : "one"} x`);
  assert.equal(plane.sessions, 2);
  assert.equal(plane.count(TOTAL), 2);
  assert.equal(plane.count(TX), 10 + 20 + 1);
  await until(() => plane.count(RX) === 10 + 20 + 1 + 21 * 4, 1_000, "the count of what has left");
  assert.equal(plane.counters.active(PROCESS_SLOT), 1, "two have one place");
});

Deno.test("udp: every byte of datagrams from 0 to the longest arrives, both ways", async () => {
  await using backend = new UdpPeer((text) => [text]);
  await using plane = balanced([backend], { bufferBytes: 65_507 });
  await using client = new UdpPeer();
  for (const length of [0, 1, 511, 1_200, 1_472, 9_000, 65_507]) {
    const text = "abcdefghij".repeat(6_551).slice(0, length);
    assert.equal(await client.ask(text, plane.port), text, `${length} bytes`);
  }
});

Deno.test("udp: datagrams that are too long are dropped and counted, not cut", async () => {
  await using backend = new UdpPeer((text) => [text, "y".repeat(text === "ok" ? 601 : 0)]);
  await using plane = balanced([backend], { bufferBytes: 600 });
  await using client = new UdpPeer();
  await client.send("x".repeat(601), plane.port);
  await client.send("x".repeat(5_000), plane.port);
  assert.equal(await client.ask("ok", plane.port), "ok");
  await until(() => plane.count(OVERSIZE) === 3, 2_000, "the count of what was too long");
  assert.equal(await client.ask("x".repeat(600), plane.port), "x".repeat(600));
  assert.deepEqual(backend.got.map(({ text }) => text.length), [2, 600]);
});

Deno.test("udp: only the backend's own answers are relayed", async () => {
  await using backend = new UdpPeer();
  await using plane = balanced([backend]);
  await using client = new UdpPeer();
  await client.send("hello", plane.port);
  await until(() => backend.got.length === 1);
  const upstream = backend.got[0]!.from.port;
  await using stranger = new UdpPeer();
  await stranger.send("forged", upstream);
  await backend.send("genuine", upstream);
  assert.equal(await client.next(), "genuine");
  assert.equal(client.got.length, 1);
});

Deno.test.each([
  { address: "::ffff:7f00:1" },
  { address: "::FFFF:127.0.0.1" },
])(
  "udp: the answers of a backend are known by whatever spelling: $address",
  async ({ address }) => {
    await using backend = named("one");
    await using plane = new Plane([], {}, { protocol: "udp", udp: UDP }, undefined, [
      member(0, { address, port: backend.port }),
    ]);
    await using client = new UdpPeer();
    assert.equal(await client.ask("x", plane.port), "one x");
  },
);

Deno.test("udp: with follow_port a backend may answer from any port, and is answered there", async () => {
  await using backend = new UdpPeer();
  await using plane = balanced([backend], { followPort: true });
  await using client = new UdpPeer();
  await client.send("read file", plane.port);
  await until(() => backend.got.length === 1);
  await using transfer = new UdpPeer();
  await transfer.send("block 1", backend.got[0]!.from.port);
  assert.equal(await client.next(), "block 1");
  await client.send("got 1", plane.port);
  assert.equal(await transfer.next(), "got 1");
  await using elsewhere = new UdpPeer(() => [], "127.0.0.2");
  await elsewhere.send("forged", backend.got[0]!.from.port, "127.0.0.1");
  await transfer.send("block 2", backend.got[0]!.from.port);
  assert.equal(await client.next(), "block 2", "another host isn't the backend");
});

Deno.test("udp: a session ends when both directions have been silent for so long", async () => {
  await using backend = named("one");
  await using plane = balanced([backend], { idleMs: 300 });
  await using client = new UdpPeer();
  for (let i = 0; i < 8; i++) { // longer than the limit in all
    await client.ask(`${i}`, plane.port);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const upstream = backend.got[0]!.from.port;
  assert.ok(backend.got.every(({ from }) => from.port === upstream), "one session");
  for (let i = 0; i < 8; i++) { // the backend alone keeps it as well
    await backend.send("push", upstream);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.equal(plane.sessions, 1);
  await plane.idle(2_000);
  assert.equal(plane.counters.active(PROCESS_SLOT), 0);
  assert.equal(plane.counters.active(BACKEND_SLOT), 0);
  await client.send("again", plane.port);
  const again = () => backend.got.find(({ text }) => text === "again");
  await until(() => again() !== undefined);
  assert.notEqual(again()!.from.port, upstream);
});

Deno.test("udp: after max_requests the next datagram is balanced anew, and old answers still come", async () => {
  await using one = named("one");
  await using two = named("two");
  await using plane = balanced([one, two], { maxRequests: 3 });
  await using client = new UdpPeer();
  for (let i = 0; i < 9; i++) await client.ask(`${i}`, plane.port);
  const from = [one, two].map(({ got }) => got.length).sort();
  assert.deepEqual(from, [3, 6]);
  assert.equal(plane.count(TOTAL), 3);
  const sockets = new Set([...one.got, ...two.got].map(({ from }) => from.port));
  assert.equal(sockets.size, 3, "exactly three each");
  await one.send("late", one.got[0]!.from.port);
  assert.equal((await client.next())?.slice(0, 4), "late");
});

Deno.test("udp: after max_responses a session ends, exactly then", async () => {
  await using backend = new UdpPeer((text) => [`${text}1`, `${text}2`, `${text}3`]);
  await using plane = balanced([backend], { maxResponses: 2 });
  await using client = new UdpPeer();
  await client.send("a", plane.port);
  assert.equal(await client.next(), "a1");
  assert.equal(await client.next(), "a2");
  await plane.idle(1_000);
  await client.send("b", plane.port);
  assert.equal(await client.next(), "b1");
  assert.equal(await client.next(), "b2");
  await plane.idle(1_000);
  assert.equal(await client.next(100), undefined);
  assert.equal(plane.count(TOTAL), 2);
});

Deno.test("udp: a client that asks twice at once gets both answers, with max_responses = 1 as well", async () => {
  await using backend = named("one");
  await using plane = balanced([backend], { maxResponses: 1 });
  await using client = new UdpPeer();
  for (let i = 0; i < 20; i++) {
    await Promise.all([client.send("A", plane.port), client.send("AAAA", plane.port)]);
    assert.deepEqual([await client.next(), await client.next()].sort(), ["one A", "one AAAA"]);
  }
  await plane.idle(1_000);
});

Deno.test("udp: a session that only waits for answers waits no longer than one may take", async () => {
  await using backend = new UdpPeer();
  await using plane = balanced([backend], { maxRequests: 2, answerMs: 300 });
  await using client = new UdpPeer();
  for (let i = 0; i < 10; i++) await client.send("x", plane.port);
  await until(() => plane.sessions === 5);
  await plane.idle(2_000);
});

Deno.test("udp: a reload that lowers limits holds for sessions that are past them", async () => {
  await using backend = named("one");
  await using plane = balanced([backend], { whenFull: "evict" });
  await using stack = new AsyncDisposableStack();
  const clients = Array.from({ length: 8 }, () => stack.use(new UdpPeer()));
  for (const client of clients) for (let i = 0; i < 3; i++) await client.ask("x", plane.port);
  serve(plane, { whenFull: "evict", maxSessions: 3, maxRequests: 2 });
  const newcomer = stack.use(new UdpPeer());
  assert.equal(await newcomer.ask("x", plane.port), "one x");
  assert.equal(plane.sessions, 3);
  const [known] = clients.slice(-1);
  const sockets = () => new Set(backend.got.map(({ from }) => from.port)).size;
  const before = sockets();
  for (let i = 0; i < 2; i++) assert.equal(await known!.ask("x", plane.port), "one x");
  assert.equal(sockets(), before + 1, "its session was over with the first of them");
});

Deno.test("udp: who isn't allowed any more after a reload loses its session", async () => {
  await using backend = named("one");
  await using plane = balanced([backend]);
  await using client = new UdpPeer();
  await client.ask("x", plane.port);
  serve(plane, {}, { access: { allowByDefault: false, rules: [] } });
  assert.equal(plane.sessions, 0);
});

Deno.test("udp: a longer buffer_size holds for the answers of sessions that are there", async () => {
  await using backend = new UdpPeer((text) => [text]);
  await using plane = balanced([backend], { bufferBytes: 512 });
  await using client = new UdpPeer();
  await client.ask("x", plane.port);
  serve(plane, { bufferBytes: 2_000 });
  for (let i = 0; i < 2; i++) await client.ask("x", plane.port); // what is awaited already has the old size
  const long = "a".repeat(2_000);
  assert.equal(await client.ask(long, plane.port), long);
});

Deno.test("udp: a client who is answered stays, whatever others don't get answered", async () => {
  const deaf = (name: string) => new UdpPeer((text) => text === "junk" ? [] : [`${name} ${text}`]);
  await using one = deaf("one");
  await using two = deaf("two");
  await using plane = balanced([one, two], { maxUnanswered: 3, answerMs: 200 });
  await using client = new UdpPeer();
  await using attacker = new UdpPeer();
  const first = await client.ask("x", plane.port);
  for (let i = 0; i < 30; i++) {
    await attacker.send("junk", plane.port);
    await new Promise((resolve) => setTimeout(resolve, 40));
    if (i % 10 === 9) assert.equal(await client.ask("x", plane.port), first);
  }
  assert.equal(plane.count(TOTAL) > 2, true, "the attacker itself was led elsewhere");
});

Deno.test("udp: max_requests = 1 is fire and forget: each datagram by itself, no answers, no sessions", async () => {
  await using one = named("one");
  await using two = named("two");
  await using plane = balanced([one, two], { maxRequests: 1 });
  await using client = new UdpPeer();
  for (let i = 0; i < 10; i++) await client.send(`${i}`, plane.port);
  await until(() => one.got.length + two.got.length === 10);
  assert.equal(one.got.length, 5);
  assert.equal(client.got.length, 0);
  assert.equal(plane.sessions, 0);
  assert.equal(plane.counters.active(BACKEND_SLOT), 0);
  assert.equal(plane.count(TOTAL), 10);
  assert.equal(plane.count(TX, BACKEND_SLOT), 5);
});

Deno.test("udp: max_requests and max_responses of 1 balance each datagram and bring its answer", async () => {
  await using one = named("one");
  await using two = named("two");
  await using plane = balanced([one, two], { maxRequests: 1, maxResponses: 1 });
  await using client = new UdpPeer();
  for (let i = 0; i < 10; i++) await client.send(`${i}`, plane.port);
  await until(() => client.got.length === 10);
  assert.equal(one.got.length, 5);
  await plane.idle(1_000);
  assert.equal(plane.count(TOTAL), 10);
});

Deno.test("udp: at max_sessions new clients are refused and counted, known ones served", async () => {
  await using backend = named("one");
  await using plane = balanced([backend], { maxSessions: 3 });
  await using stack = new AsyncDisposableStack();
  const clients = Array.from({ length: 5 }, () => stack.use(new UdpPeer()));
  for (const client of clients.slice(0, 3)) assert.ok(await client.ask("a", plane.port));
  for (const client of clients.slice(3)) {
    assert.equal(await client.ask("a", plane.port, 50), undefined);
  }
  for (const client of clients.slice(0, 3)) assert.ok(await client.ask("b", plane.port));
  assert.equal(plane.sessions, 3);
  assert.equal(plane.count(OVER_LIMIT), 2);
  assert.equal(plane.count(REFUSED), 2);
  serve(plane, { maxSessions: 10 }, { maxConnections: 4 });
  assert.ok(await clients[3]!.ask("a", plane.port));
  assert.equal(await clients[4]!.ask("a", plane.port, 50), undefined, "max_connections holds, too");
});

Deno.test("udp: with when_full = evict the session that was silent for longest makes room", async () => {
  await using backend = named("one");
  await using plane = balanced([backend], { maxSessions: 3, whenFull: "evict" });
  await using stack = new AsyncDisposableStack();
  const [a, b, c, d] = Array.from({ length: 4 }, () => stack.use(new UdpPeer()));
  for (const client of [a, b, c, a]) await client!.ask("x", plane.port);
  const portsBefore = backend.got.map(({ from }) => from.port);
  assert.ok(await d!.ask("x", plane.port));
  assert.equal(plane.sessions, 3);
  assert.equal(plane.count(EVICTED), 1);
  for (const client of [a, c, b]) await client!.ask("y", plane.port);
  const after = backend.got.slice(-3).map(({ from }) => from.port);
  assert.equal(after[0], portsBefore[0], "a goes on");
  assert.equal(after[1], portsBefore[2], "c goes on");
  assert.notEqual(after[2], portsBefore[1], "b was the oldest");
  assert.equal(plane.sessions, 3);
});

Deno.test("udp: the process's limit of sessions counts two of them as one", async () => {
  await using backend = named("one");
  await using plane = balanced([backend]);
  plane.counters.capacity = 4;
  await using stack = new AsyncDisposableStack();
  const clients = Array.from({ length: 6 }, () => stack.use(new UdpPeer()));
  const answers = [];
  for (const client of clients) answers.push(await client.ask("a", plane.port, 100) !== undefined);
  assert.deepEqual(answers, [true, true, true, true, false, false]);
  assert.equal(plane.count(OVER_CAPACITY), 2);
  assert.equal(plane.counters.active(BACKEND_SLOT), 4);
});

Deno.test("udp: who isn't allowed is dropped and counted; routes lead by address", async () => {
  await using one = named("one");
  await using two = named("two");
  const rules = [{ allow: false, cidr: "127.0.0.3/32" }];
  await using plane = balanced([one], {}, {
    hostname: "127.0.0.1",
    access: { allowByDefault: true, rules },
    routing: { routes: [{ match: { client: ["127.0.0.2/32"] }, pool: "second" }], readMs: 1_000 },
  });
  const members = [member(5, { address: "127.0.0.1", port: two.port })];
  plane.plane.handle({
    kind: "pool",
    pool: { name: "second", slot: 3, strategy: "roundrobin", members },
  });
  await using first = new UdpPeer();
  await using second = new UdpPeer(() => [], "127.0.0.2");
  await using third = new UdpPeer(() => [], "127.0.0.3");
  const ask = async (client: UdpPeer) => {
    await client.send("x", plane.port, "127.0.0.1");
    return await client.next(200);
  };
  assert.equal(await ask(first), "one x");
  assert.equal(await ask(second), "two x");
  assert.equal(await ask(third), undefined);
  assert.equal(plane.count(DENIED), 1);
});

Deno.test("udp: with key = ip the ports of an address stay together while one has a session", async () => {
  await using one = named("one");
  await using two = named("two");
  await using plane = balanced([one, two], { key: "ip", idleMs: 300 });
  await using stack = new AsyncDisposableStack();
  const ask = async (hostname: string) => {
    const client = stack.use(new UdpPeer(() => [], hostname));
    await client.send("x", plane.port, "127.0.0.1");
    return await client.next();
  };
  const first = await ask("127.0.0.1");
  for (let i = 0; i < 6; i++) assert.equal(await ask("127.0.0.1"), first);
  const other = await ask("127.0.0.2");
  assert.notEqual(other, first, "another address is balanced by itself");
  for (let i = 0; i < 3; i++) assert.equal(await ask("127.0.0.2"), other);
  plane.counters.setFlag(first === "one x" ? BACKEND_SLOT : BACKEND_SLOT + 1, DRAINING, true);
  assert.equal(await ask("127.0.0.1"), other, "no new sessions where an operator wants none");
});

Deno.test("udp: sessions go to another backend when theirs is down or has left, at their next datagram", async () => {
  await using one = named("one");
  await using two = named("two");
  await using plane = balanced([one, two]);
  await using client = new UdpPeer();
  const first = await client.ask("x", plane.port);
  const [index, other] = first === "one x" ? [0, "two x"] : [1, "one x"];
  plane.counters.setFlag(BACKEND_SLOT + index, DRAINING, true);
  assert.equal(await client.ask("x", plane.port), first, "a drain lets it go on");
  plane.counters.setFlag(BACKEND_SLOT + index, DRAINING, false);
  plane.counters.setFlag(BACKEND_SLOT + index, DOWN, true);
  assert.equal(await client.ask("x", plane.port), other);
  assert.equal(plane.sessions, 1);
  assert.equal(plane.counters.active(BACKEND_SLOT + index), 0);
  plane.counters.setFlag(BACKEND_SLOT + index, DOWN, false);
  assert.equal(await client.ask("x", plane.port), other, "it doesn't come back by itself");
  const stays = index === 0 ? one : two;
  plane.setPool([member(index, { address: "127.0.0.1", port: stays.port })]);
  assert.equal(await client.ask("x", plane.port), first);
  plane.counters.setFlag(BACKEND_SLOT + index, DOWN, true);
  assert.equal(await client.ask("x", plane.port, 100), undefined);
  assert.equal(plane.sessions, 0);
  assert.equal(plane.count(NO_BACKEND), 1);
});

Deno.test("udp: a backend that has stopped answering loses its clients to others, without any check", async () => {
  await using one = named("one");
  let dead = false;
  await using two = new UdpPeer((text) => dead ? [] : [`two ${text}`]);
  await using plane = balanced([one, two], { maxUnanswered: 3, answerMs: 200 });
  await using a = new UdpPeer();
  await using b = new UdpPeer();
  await a.ask("x", plane.port);
  await b.ask("x", plane.port);
  dead = true;
  const victim = a.got[0]!.text === "two x" ? a : b;
  const asks = async () => (await victim.ask("y", plane.port, 50)) === "one y";
  await until(asks, 5_000, "an answer of the other backend");
  const silent = BACKEND_SLOT + 1;
  assert.equal(plane.count(REFUSED, silent), 1);
  assert.ok(plane.said.some((line) => line.kind === "log" && /doesn't answer/.test(line.message)));
  await using newcomer = new UdpPeer();
  assert.equal(await newcomer.ask("z", plane.port), "one z");
});

Deno.test("udp: where all have failed, clients stay where they are", async () => {
  let dead = false;
  const answer = (text: string) => dead ? [] : [text];
  await using one = new UdpPeer(answer);
  await using two = new UdpPeer(answer);
  await using plane = balanced([one, two], { maxUnanswered: 2, answerMs: 100 });
  await using stack = new AsyncDisposableStack();
  const others = [stack.use(new UdpPeer()), stack.use(new UdpPeer())];
  const client = stack.use(new UdpPeer());
  for (const each of [client, ...others]) await each.ask("x", plane.port);
  dead = true;
  const failed = () =>
    plane.count(REFUSED, BACKEND_SLOT) + plane.count(REFUSED, BACKEND_SLOT + 1) === 2;
  for (let i = 0; i < 100 && !failed(); i++) {
    for (const each of others) await each.ask("y", plane.port, 20);
  }
  const before = plane.count(TOTAL);
  for (let i = 0; i < 5; i++) await client.ask("y", plane.port, 10);
  assert.equal(plane.count(TOTAL), before, "the same session");
  dead = false;
  assert.equal(await client.ask("z", plane.port), "z");
});

Deno.test("udp: in a drain known clients are served until they are silent, new ones aren't", async () => {
  await using backend = named("one");
  await using plane = balanced([backend]);
  await using client = new UdpPeer();
  await client.ask("x", plane.port);
  plane.plane.handle({ kind: "drain" });
  assert.equal(await client.ask("y", plane.port), "one y");
  await using late = new UdpPeer();
  assert.equal(await late.ask("x", plane.port, 100), undefined);
  plane.plane.handle({ kind: "abort" });
  await until(() => plane.said.some(({ kind }) => kind === "drained"));
  assert.equal(plane.sessions, 0);
  await using again = new UdpPeer(() => [], "127.0.0.1", plane.port);
  assert.equal(again.port, plane.port, "the socket is closed");
});

Deno.test("udp: sessions of backends that leave are cut where on_remove says so", async () => {
  await using backend = named("one");
  await using plane = balanced([backend], {}, { onRemove: "close" });
  await using client = new UdpPeer();
  await client.ask("x", plane.port);
  plane.plane.handle({ kind: "cut", slots: [BACKEND_SLOT], all: false });
  assert.equal(plane.sessions, 0);
});

Deno.test("udp: a new table holds from the next datagram on, without a new socket", async () => {
  await using backend = new UdpPeer((text) => [text]);
  await using plane = balanced([backend], { bufferBytes: 512 });
  await using client = new UdpPeer();
  await client.ask("x", plane.port);
  const rules = [{ allow: true, cidr: "127.0.0.1/32" }];
  serve(plane, { bufferBytes: 2_000, maxSessions: 1 }, {
    access: { allowByDefault: false, rules },
  });
  assert.equal(await client.ask("y", plane.port), "y", "a session goes on");
  await using newcomer = new UdpPeer();
  assert.equal(await newcomer.ask("z", plane.port, 100), undefined);
  serve(plane, { bufferBytes: 2_000 }, { access: { allowByDefault: true, rules: [] } });
  const long = "a".repeat(2_000);
  assert.equal(await newcomer.ask(long, plane.port), long);
  plane.plane.handle({ kind: "stop", server: "web", abort: false });
  assert.equal(plane.sessions, 0, "they can't do without the socket");
  assert.equal(await client.ask("x", plane.port, 100), undefined);
  assert.equal(plane.count(TOTAL, SERVER_SLOT), 2);
});

Deno.test("udp: both protocols have the same port, each its own server", async () => {
  await using backend = named("one");
  const port = freePort();
  await using plane = balanced([backend], {}, { port });
  const { udp: _udp, ...tcp } = plane.server;
  plane.plane.handle({
    kind: "serve",
    server: {
      ...tcp as ServerTable,
      ...{ name: "tcp", protocol: "tcp", pool: "pool", slot: 4, port },
      ...{ hostname: "127.0.0.1", keyWidth: 4, maxConnections: 0, onRemove: "finish" },
      limits: LIMITS,
      access: { allowByDefault: true, rules: [] },
    },
  });
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  assert.equal(conn.remoteAddr.port, port);
  await using client = new UdpPeer();
  assert.equal(await client.ask("x", port), "one x");
});
