import assert from "node:assert/strict";
import { until } from "../support/backends.ts";
import { pause } from "../support/clients.ts";
import { byDenoRun } from "../support/host.ts";
import { runTwixt } from "../support/process.ts";
import { Twixt } from "../support/twixt.ts";
import { backendAt, BALANCER, Networks } from "../support/networks.ts";
import { api, config, dns, options, start, tables, web } from "./_kernel.ts";

Deno.test(
  "kernel: rules go on after kill -9; the next start replaces them, and removes what nobody has",
  options,
  async () => {
    await using networks = await Networks.make(1);
    const client = await networks.client();
    await networks.backend(1);
    const servers = { web: web([backendAt(1)]), old: web([backendAt(1)], { bind: ":81" }) };
    const killed = await start(networks, servers);
    await client.do("hold");
    killed.signal("SIGKILL");
    await killed.child.status;
    assert.equal(await client.do("say"), "hello");
    assert.deepEqual(await client.do("tcp", BALANCER.ip, 81, 5), { "b1 10.99.1.1": 5 });
    await client.do("load");
    const twixt = await start(networks, { web: servers.web });
    assert.equal(await client.do("say"), "hello");
    const { served, failures } = await client.do("unload");
    assert.deepEqual(failures, []);
    assert(served > 50, String(served));
    assert.deepEqual(await tables(networks), ["twixt_tcp_80_any"]);
    assert.deepEqual(await client.do("tcp", BALANCER.ip, 81, 5), { ConnectionRefused: 5 });
    await twixt[Symbol.asyncDispose]();
    await killed[Symbol.asyncDispose]();
    assert.deepEqual(await tables(networks), []);
  },
);

Deno.test("kernel: a takeover loses nobody, and what is open stays open", options, async () => {
  await using networks = await Networks.make(2);
  const client = await networks.client();
  await networks.backend(1);
  await networks.backend(2);
  await using old = await start(networks, { web: web([backendAt(1)]) });
  await client.do("hold");
  await client.do("load");
  const file = `${old.folder}/second.json`;
  await Deno.writeTextFile(file, JSON.stringify({ servers: { web: web([backendAt(1)]) } }));
  const { code, err } = await runTwixt(["-c", file], { wrap: networks.wrap });
  assert.equal(code, 1);
  assert.match(err, new RegExp(`process ${old.pid} does so already`));
  await using next = await old.takeover({ config: config({ web: web([backendAt(2)]) }) });
  assert.equal(await old.ended(), 0);
  await pause(300);
  const { served, failures } = await client.do("unload");
  assert.deepEqual(failures, [], next.text());
  console.log(`takeover: ${served} clients served throughout`);
  assert.equal(await client.do("say"), "hello");
  assert.deepEqual(await client.do("tcp", BALANCER.ip, 80, 10), { "b2 10.99.2.1": 10 });
  const { backends } = await api(networks, "/servers/web/stats");
  assert.equal(backends.length, 1);
});

Deno.test(
  "kernel: a takeover that fails harms nobody: the old process goes on",
  options,
  async () => {
    await using networks = await Networks.make(1);
    const client = await networks.client();
    await networks.backend(1);
    await using old = await start(networks, { web: web([backendAt(1)]) });
    await client.do("hold");
    await client.do("load");
    old.signal("SIGSTOP"); // it doesn't answer, so that nobody can take over from it
    try {
      await assert.rejects(old.takeover(), /doesn't yield its service; it goes on/);
    } finally {
      old.signal("SIGCONT");
    }
    await pause(1_500);
    const { served, failures } = await client.do("unload");
    assert.deepEqual(failures, [], old.text());
    console.log(`a takeover that fails: ${served} clients served throughout`);
    assert.equal(await client.do("say"), "hello");
    assert.deepEqual(await tables(networks), ["twixt_tcp_80_any"]);
    old.signal("SIGTERM");
    await until(async () => (await tables(networks)).length === 0, 40_000, "the end of its table");
  },
);

Deno.test(
  "kernel: a reload leaves what is equal alone, and takes a server from workers to the kernel and back",
  options,
  async () => {
    await using networks = await Networks.make(1);
    const client = await networks.client();
    await networks.backend(1);
    const list = [backendAt(1)];
    const fixed = web(list, { bind: ":81" });
    const user = web(list, { forward: "user" });
    await using twixt = await start(networks, { web: user, fixed });
    const handle = async () =>
      await networks.in("balancer", "nft", "-a", "list", "table", "inet", "twixt_tcp_81_any");
    const before = await handle();
    await client.do("hold");
    await client.do("load");
    assert(await twixt.reload(config({ web: web(list), fixed })));
    await pause(300);
    assert.equal(await client.do("say"), "hello");
    assert.deepEqual((await tables(networks)).sort(), ["twixt_tcp_80_any", "twixt_tcp_81_any"]);
    assert(await twixt.reload(config({ web: user, fixed })));
    await pause(300);
    const { served, failures } = await client.do("unload");
    assert.deepEqual(failures, [], twixt.text());
    console.log(`reload: ${served} clients served throughout`);
    await until(async () => (await tables(networks)).join() === "twixt_tcp_81_any");
    assert.equal(await handle(), before);
    assert.deepEqual(await client.do("tcp", BALANCER.ip, 80, 10), { "b1 10.99.1.1": 10 });
  },
);

Deno.test(
  "kernel: a stop takes no new clients, and waits for those that are there",
  options,
  async () => {
    await using networks = await Networks.make(1);
    const client = await networks.client();
    await networks.backend(1);
    await using twixt = await start(networks, {
      web: web([backendAt(1)]),
      dns: dns([backendAt(1)]),
    });
    await client.do("hold");
    twixt.signal("SIGTERM");
    await until(async () => "ConnectionRefused" in await client.do("tcp"));
    await pause(1_500);
    assert.equal(await client.do("say"), "hello");
    await client.do("leave");
    assert.equal(await twixt.ended(), 0);
    assert.deepEqual(await tables(networks), []);
  },
);

Deno.test(
  "kernel: somebody flushes all rules; they are there again within two seconds",
  options,
  async () => {
    await using networks = await Networks.make(1);
    const client = await networks.client();
    await networks.backend(1);
    await using twixt = await start(networks, { web: web([backendAt(1)]) });
    await networks.in("balancer", "nft", "flush", "ruleset");
    await twixt.logged(({ msg }) => msg.startsWith("a server's rules had gone"), 2_000);
    assert.deepEqual(await client.do("tcp", BALANCER.ip, 80, 10), { "b1 10.99.1.1": 10 });
  },
);

Deno.test(
  "kernel: a takeover may bring a server from workers to the kernel, and back, and a UDP client stays",
  options,
  async () => {
    await using networks = await Networks.make(2);
    const client = await networks.client();
    await networks.backend(1);
    await networks.backend(2);
    const both = [backendAt(1), backendAt(2)];
    const [user, kernel] = ["user", "kernel"].map((forward) =>
      config({ web: web([backendAt(1)], { forward }), dns: dns(both) })
    );
    await using first = await Twixt.start({ config: user!, wrap: networks.wrap });
    const stays = await client.do("same", BALANCER.ip, 53);
    await client.do("load");
    await using second = await first.takeover({ config: kernel! });
    assert.equal(await first.ended(), 0);
    assert.equal(await client.do("same", BALANCER.ip, 53), stays);
    await using third = await second.takeover({ config: user! });
    assert.equal(await second.ended(), 0);
    assert.equal(await client.do("same", BALANCER.ip, 53), stays);
    await pause(300);
    const { served, failures } = await client.do("unload");
    console.log(`takeovers: ${served} clients served, ${failures.length} not: ${failures}`);
    // closing a listener resets who is in its queue, unless net.ipv4.tcp_migrate_req=1
    assert(failures.length <= 1, third.text());
    assert.deepEqual(await tables(networks), ["twixt_udp_53_any"]);
  },
);

Deno.test(
  "kernel: without CAP_NET_ADMIN it doesn't start, and says what to do",
  options,
  async () => {
    await using networks = await Networks.make(1);
    const file = await Deno.makeTempFile({ suffix: ".json" });
    await Deno.writeTextFile(file, JSON.stringify({ servers: { web: web([backendAt(1)]) } }));
    const drop = "--bounding-set=-net_admin --inh-caps=-net_admin";
    const wrap = networks.wrap.replace("{}", `setpriv ${drop} -- {}`);
    const { code, err } = await runTwixt(["-c", file], { wrap });
    await Deno.remove(file);
    assert.equal(code, 1, err);
    assert.match(err, /server "web" can't be forwarded by the kernel: nft says: .*not permitted/);
    assert.match(err, /run as root, or give the service AmbientCapabilities=CAP_NET_ADMIN/);
  },
);

// a user who isn't root can't read what `deno run` has cached
const testAsUser = byDenoRun ? () => {} : Deno.test;

testAsUser("kernel: an ordinary user may, with the capability", options, async () => {
  await using networks = await Networks.make(1);
  const client = await networks.client();
  await networks.backend(1);
  const caps =
    "--inh-caps=+net_admin,+net_bind_service --ambient-caps=+net_admin,+net_bind_service";
  const user = `setpriv --reuid=65534 --regid=65534 --clear-groups ${caps}`;
  const own = `chown -R 65534:65534 "$FOLDER" && exec ip netns exec ${networks.name("balancer")}`;
  const wrap = `${own} ${user} -- {}`;
  await using _twixt = await Twixt.start({ config: config({ web: web([backendAt(1)]) }), wrap });
  assert.deepEqual(await client.do("tcp", BALANCER.ip, 80, 10), { "b1 10.99.1.1": 10 });
});
