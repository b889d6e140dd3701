/** Servers of datagrams, with the program as a process. */
import assert from "node:assert/strict";
import { ask, greeter, until } from "../../support/backends.ts";
import { freePort } from "../../support/clients.ts";
import { Twixt } from "../../support/twixt.ts";
import { named, UdpPeer } from "../../support/udp.ts";

const timeout = 30_000;

/** A server of datagrams in front of these backends. */
function udpServer(backends: readonly UdpPeer[], more: Record<string, unknown> = {}) {
  return {
    bind: `127.0.0.1:${freePort()}`,
    protocol: "udp",
    balance: "roundrobin",
    discovery: { kind: "static", static_list: backends.map(({ port }) => `127.0.0.1:${port}`) },
    ...more,
  };
}

/** The status of an answer of the API. */
async function status(twixt: Twixt, path: string, method: string, body?: unknown): Promise<number> {
  const answer = await twixt.api(path, method, body);
  await answer.body?.cancel();
  return answer.status;
}

const BASE = { workers: 2, api: { enabled: true, bind: "127.0.0.1:0" } };

Deno.test("datagrams are balanced over two workers' servers, beside TCP on the same port", {
  timeout,
}, async () => {
  await using one = named("one");
  await using two = named("two");
  await using tcp = greeter("by TCP");
  const names = ["a", "b", "c", "d", "e", "f"]; // some in each worker
  const servers = Object.fromEntries(names.map((name) => [name, udpServer([one, two])]));
  const port = freePort();
  await using twixt = await Twixt.start({
    config: {
      ...BASE,
      servers: {
        ...servers,
        both: udpServer([one], { bind: `127.0.0.1:${port}` }),
        tcp: {
          bind: `127.0.0.1:${port}`,
          discovery: { kind: "static", static_list: [`127.0.0.1:${tcp.port}`] },
        },
      },
    },
  });
  await using stack = new AsyncDisposableStack();
  for (const name of names) {
    const [a, b] = [stack.use(new UdpPeer()), stack.use(new UdpPeer())];
    const said = [await a.ask("x", twixt.port(name)), await b.ask("x", twixt.port(name))];
    assert.deepEqual(said.sort(), ["one x", "two x"], name);
    // an answer is counted when it has left, which its client may see first
    await until(async () => (await twixt.stats(name)).rx_total === 10, 2_000, "the count of bytes");
    const { active_connections, rx_total, tx_total, backends } = await twixt.stats(name);
    assert.deepEqual({ active_connections, rx_total, tx_total }, {
      ...{ active_connections: 2, rx_total: 10, tx_total: 2 },
    });
    assert.equal(backends[0].stats.total_connections, 1);
  }
  await using client = new UdpPeer();
  assert.equal(await client.ask("x", port), "one x");
  assert.equal(await ask(port), "by TCP");
});

Deno.test("a reload moves, changes and removes servers of datagrams, and the API adds one", {
  timeout,
}, async () => {
  await using one = named("one");
  await using two = named("two");
  const dns = udpServer([one]);
  await using twixt = await Twixt.start({ config: { ...BASE, servers: { dns } } });
  const port = twixt.port("dns");
  await using client = new UdpPeer();
  assert.equal(await client.ask("x", port), "one x");
  const discovery = udpServer([two]).discovery;
  assert.ok(await twixt.reload({ ...BASE, servers: { dns: { ...dns, discovery } } }));
  assert.equal(await client.ask("x", port), "two x", "its backend has left");
  const moved = udpServer([two]);
  assert.ok(await twixt.reload({ ...BASE, servers: { dns: moved } }));
  assert.equal(await client.ask("x", twixt.port("dns")), "two x");
  assert.equal(await client.ask("x", port, 100), undefined);
  const { pool: _, ...renamed } = { ...moved, pool: undefined };
  assert.ok(await twixt.reload({ ...BASE, servers: { names: renamed } }));
  assert.equal(await client.ask("x", twixt.port("names")), "two x");
  const added = udpServer([one]);
  assert.equal(await status(twixt, "/servers/more", "POST", added), 200);
  assert.equal(await client.ask("y", Number(added.bind.split(":")[1])), "one y");
  assert.equal(await status(twixt, "/servers/more", "DELETE"), 200);
  assert.equal(
    await status(twixt, "/servers/more", "POST", added),
    200,
    "its port is free at once",
  );
  const taken = udpServer([one], { bind: moved.bind });
  assert.equal(await status(twixt, "/servers/again", "POST", taken), 400);
});

Deno.test("a port that another program has is refused by name", { timeout }, async () => {
  await using one = named("one");
  await using other = new UdpPeer();
  const config = { servers: { dns: udpServer([one], { bind: `127.0.0.1:${other.port}` }) } };
  await assert.rejects(Twixt.start({ config }), (error: Error) => {
    assert.match(error.message, /server "dns" can't listen on 127\.0\.0\.1:\d+: address in use/);
    assert.match(error.message, /ss -lunp 'sport = :\d+'/);
    return true;
  });
});

Deno.test("a backend whose checks fail loses its clients at once, and drains let them stay", {
  timeout,
}, async () => {
  let dead = false;
  const answer = (name: string) => (text: string) =>
    dead && name === "two" ? [] : [`${name} ${text}`];
  await using one = new UdpPeer(answer("one"));
  await using two = new UdpPeer(answer("two"));
  const healthcheck = {
    ...{ kind: "probe", interval: "100ms", timeout: "100ms", probe_protocol: "udp" },
    ...{ probe_strategy: "regexp", probe_send: "ping", probe_recv: "ping", probe_recv_len: 8 },
  };
  const server = udpServer([one, two], { healthcheck, udp: { max_unanswered: 0 } });
  await using twixt = await Twixt.start({ config: { ...BASE, servers: { dns: server } } });
  const port = twixt.port("dns");
  await using stack = new AsyncDisposableStack();
  const clients = [stack.use(new UdpPeer()), stack.use(new UdpPeer())];
  for (const client of clients) await client.ask("x", port);
  const victim = clients.find(({ got }) => got[0]!.text === "two x")!;
  const path = `/pools/dns/backends/127.0.0.1:${two.port}`;
  assert.equal(await status(twixt, path, "PATCH", { drain: true }), 200);
  assert.equal(await victim.ask("y", port), "two y", "a drain lets sessions go on");
  const newcomers = Array.from({ length: 4 }, () => stack.use(new UdpPeer()));
  for (const client of newcomers) assert.equal(await client.ask("z", port), "one z");
  assert.equal(await status(twixt, path, "PATCH", { drain: false }), 200);
  dead = true;
  await until(async () => await victim.ask("y", port, 100) === "one y", 3_000, "another backend");
});

Deno.test("a worker that dies takes its servers of datagrams along, and another one serves them", {
  timeout,
}, async () => {
  await using one = named("one");
  const servers = { dns: udpServer([one]), tcp: { ...udpServer([one]), protocol: "tcp" } };
  await using twixt = await Twixt.start({
    config: { ...BASE, workers: 1, servers },
    env: { TWIXT_TEST_FAULT: "die" },
  });
  await using client = new UdpPeer();
  assert.equal(await client.ask("x", twixt.port("dns")), "one x");
  twixt.signal("SIGQUIT");
  await twixt.logged(({ msg }) => msg.startsWith("a worker died"));
  await until(async () => await client.ask("y", twixt.port("dns"), 200) === "one y", 5_000);
  assert.equal((await twixt.stats("dns")).active_connections, 1);
});

Deno.test("a stop waits for datagrams no longer than they are exchanged", { timeout }, async () => {
  await using one = named("one");
  await using twixt = await Twixt.start({
    config: { ...BASE, servers: { dns: udpServer([one]) } },
  });
  const port = twixt.port("dns");
  await using client = new UdpPeer();
  await client.ask("x", port);
  const since = performance.now();
  twixt.signal("SIGTERM");
  await twixt.logged(({ msg, open }) => msg.startsWith("stopping") && open === 1);
  assert.equal(await client.ask("y", port), "one y");
  assert.equal(await twixt.ended(), 0);
  const tookMs = performance.now() - since;
  assert.ok(tookMs > 4_000 && tookMs < 9_000, `${tookMs} ms`);
});

Deno.test(
  "--takeover: clients of datagrams are served by the new process, from its first datagram on",
  { timeout },
  async () => {
    await using one = named("one");
    const config = {
      ...BASE,
      api: { enabled: true, bind: `127.0.0.1:${freePort()}` },
      servers: { dns: udpServer([one]) },
    };
    await using old = await Twixt.start({ config });
    const port = old.port("dns");
    await using client = new UdpPeer();
    let sent = 0;
    let answered = 0;
    let over = false;
    const exchange = (async () => {
      for (; !over; sent++) if (await client.ask(`${sent}`, port, 1_000) !== undefined) answered++;
    })();
    const successor = await old.takeover();
    try {
      assert.equal(await old.ended(), 0, "its sessions fall silent");
      over = true;
      await exchange;
      assert.equal(answered, sent, "no datagram is lost on the way");
      assert.equal((await successor.stats("dns")).active_connections, 1);
      await old.logged(({ msg, open }) => msg.startsWith("taken over by another") && open === 1);
    } finally {
      over = true;
      await exchange;
      await successor[Symbol.asyncDispose]();
    }
  },
);
