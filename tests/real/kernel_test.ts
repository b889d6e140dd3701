import assert from "node:assert/strict";
import { until } from "../support/backends.ts";
import { pause } from "../support/clients.ts";
import { byDenoRun, isRoot, works } from "../support/host.ts";
import { needs } from "../support/real.ts";
import { runTwixt } from "../support/process.ts";
import { Twixt } from "../support/twixt.ts";
import { backendAt, backendAt6, BALANCER, CLIENT, Networks, PORT } from "../support/networks.ts";

const able = needs(["ip", "nft", "conntrack", "curl", "sysctl", "setpriv"]);
const options = {
  ignore: able.ignore || !isRoot || !works("ip netns add twixt-try && ip netns del twixt-try"),
  timeout: 90_000,
};

type Section = Record<string, unknown>;

/** A server of TCP on port 80 that the kernel forwards. */
function web(backends: readonly string[], more: Section = {}): Section {
  const discovery = { kind: "static", static_list: backends };
  return { bind: ":80", forward: "kernel", balance: "roundrobin", discovery, ...more };
}

/** The same of UDP on port 53, transparent. */
function dns(backends: readonly string[], more: Section = {}): Section {
  const { forward: _, ...rest } = web(backends);
  return { ...rest, bind: ":53", protocol: "udp", udp: { transparent: true }, ...more };
}

function config(servers: Record<string, Section>) {
  return { workers: 1, api: { enabled: true, bind: "127.0.0.1:8888" }, servers };
}

/** Twixt between the networks, with its API there as well. */
async function start(networks: Networks, servers: Record<string, Section>): Promise<Twixt> {
  return await Twixt.start({ config: config(servers), wrap: networks.wrap });
}

/** Asks the API, which only the balancer's network reaches. */
async function api(networks: Networks, path: string, method = "GET", body = {}) {
  const args = method === "GET" ? [] : ["-X", method, "--json", JSON.stringify(body)];
  const url = `http://127.0.0.1:8888${path}`;
  return JSON.parse((await networks.in("balancer", "curl", "-sS", ...args, url)) || "null");
}

/** The tables in the balancer's kernel. */
async function tables(networks: Networks): Promise<string[]> {
  const text = await networks.in("balancer", "nft", "list", "tables");
  return text.split("\n").filter((line) => line !== "").map((line) => line.split(" ").at(-1)!);
}

/** How long it takes until this is so, in milliseconds; fails after 500. */
async function within500(what: string, reached: () => Promise<boolean>): Promise<void> {
  const startedAt = performance.now();
  await until(reached, 5_000, what);
  const ms = Math.round(performance.now() - startedAt);
  console.log(`${what}: ${ms} ms`);
  assert(ms < 500, `${what}: ${ms} ms`);
}

Deno.test(
  "kernel: TCP by weight over many connections, by both versions of IP, counted",
  options,
  async () => {
    await using networks = await Networks.make();
    const client = await networks.client();
    await networks.backend(1);
    await networks.backend(2);
    await networks.in(
      "balancer",
      "nft",
      "add table inet other; add chain inet other mine; add rule inet other mine counter",
    );
    const other = await networks.in("balancer", "nft", "list", "table", "inet", "other");
    const backends = [
      ...[`${backendAt(1)} weight=300`, `${backendAt(2)} weight=700`],
      ...[`${backendAt6(1)} weight=1`, `${backendAt6(2)} weight=3`],
    ];
    const twixt = await start(networks, { web: web(backends, { balance: "weight" }) });
    const four = await client.do("tcp", BALANCER.ip, 80, 2_000);
    const [one, two] = ["b1 10.99.1.1", "b2 10.99.2.1"].map((name) => four[name] ?? 0);
    console.log(`300 to 700: ${one} to ${two}`);
    assert.equal(one + two, 2_000, JSON.stringify(four));
    assert(Math.abs(one - 600) < 5 * Math.sqrt(2_000 * 0.3 * 0.7), `${one} of 2,000`);
    const six = await client.do("tcp", BALANCER.ip6, 80, 400);
    assert.deepEqual(Object.keys(six).sort(), ["b1 fd99:1::1", "b2 fd99:2::1"]);
    assert(
      Math.abs(six["b1 fd99:1::1"] - 100) < 5 * Math.sqrt(400 * 0.25 * 0.75),
      JSON.stringify(six),
    );
    const [own] = await Promise.all([
      networks.in("balancer", "curl", "-sS", "--http0.9", "-m1", `http://${BALANCER.ip}/`).catch((
        error,
      ) => String(error)),
    ]);
    assert.match(own, /b[12] 10\.99\.[12]\.1/, "a client on the balancer itself");

    await until(
      async () => {
        const { backends } = await api(networks, "/servers/web/stats");
        const counts = backends.map(({ stats }: { stats: Section }) => stats.total_connections);
        return counts.reduce((sum: number, count: number) => sum + count, 0) === 2_401;
      },
      3_000,
      "all connections counted",
    );
    const stats = await api(networks, "/servers/web/stats");
    assert(stats.rx_total > 2_400 * 150 && stats.tx_total > 2_400 * 150, JSON.stringify(stats));
    await twixt[Symbol.asyncDispose]();
    assert.deepEqual(await tables(networks), ["other"]);
    assert.equal(await networks.in("balancer", "nft", "list", "table", "inet", "other"), other);
  },
);

Deno.test(
  "kernel: UDP, transparent: a client's own address, drains, removed and failed backends",
  options,
  async () => {
    await using networks = await Networks.make();
    const client = await networks.client();
    await networks.backend(1);
    const second = await networks.backend(2);
    const both = [backendAt(1), backendAt(2)];
    const healthcheck = { kind: "ping", interval: "100ms", timeout: "100ms" };
    const probed = (list: readonly string[]) => ({
      dns: dns(list, { pool: "p", discovery: undefined, balance: undefined }),
      web: web(list, { pool: "p", discovery: undefined, balance: undefined }),
    });
    const pools = (list: readonly string[], more = {}) => ({
      p: { balance: "roundrobin", discovery: { kind: "static", static_list: list }, ...more },
    });
    const whole = (list: readonly string[], more = {}) => ({
      ...config(probed(list)),
      pools: pools(list, more),
    });
    await using twixt = await Twixt.start({ config: whole(both), wrap: networks.wrap });
    const spread = await client.do("udp", BALANCER.ip, 53, 200);
    assert.deepEqual(Object.keys(spread).sort(), [`b1 ${CLIENT.ip}`, `b2 ${CLIENT.ip}`]);
    const { [`b1 ${CLIENT.ip}`]: turns = 0 } = spread; // a port that is used again stays where it was
    assert(turns > 90 && turns < 110, JSON.stringify(spread));

    // a socket stays with its backend, through a drain as well
    const first = await client.do("same", BALANCER.ip, 53);
    for (let i = 0; i < 5; i++) assert.equal(await client.do("same", BALANCER.ip, 53), first);
    const [number, rest] = first.startsWith("b1") ? [1, 2] : [2, 1];
    const drain = `/pools/p/backends/${backendAt(number)}`;
    await api(networks, drain, "PATCH", { drain: true });
    await within500("a drain holds", async () => {
      const { [first]: still = 0 } = await client.do("udp", BALANCER.ip, 53, 20);
      return still === 0;
    });
    assert.equal(await client.do("same", BALANCER.ip, 53), first);
    await api(networks, drain, "PATCH", { drain: false });

    // removed: its entries go, the socket is led to another one
    await twixt.reload(whole([backendAt(rest)]));
    assert.equal(await client.do("same", BALANCER.ip, 53), `b${rest} ${CLIENT.ip}`);
    const entries = await networks.in(
      "balancer",
      "conntrack",
      "-L",
      "-p",
      "udp",
      "--reply-src",
      `10.99.${number}.2`,
    );
    assert.match(entries, / 0 flow entries/);

    // failed: the checks of a pool hold for the kernel
    await twixt.reload(whole(both, { healthcheck }));
    await until(async () => Object.keys(await client.do("udp", BALANCER.ip, 53, 20)).length === 2);
    await second[Symbol.asyncDispose]();
    await within500("a backend that is gone gets nobody", async () => {
      const answers = await client.do("tcp", BALANCER.ip, 80, 20);
      return Object.keys(answers).join() === "b1 10.99.1.1";
    });
    assert.deepEqual(await client.do("udp", BALANCER.ip, 53, 20), { [`b1 ${CLIENT.ip}`]: 20 });
    assert.equal(await client.do("same", BALANCER.ip, 53), `b1 ${CLIENT.ip}`);
  },
);

Deno.test(
  "kernel: who isn't allowed, and everybody when nobody is usable, is refused at once",
  options,
  async () => {
    await using networks = await Networks.make(1);
    const client = await networks.client();
    const access = { default: "allow", rules: [`deny ${CLIENT.ip}/32`] };
    const backends = [backendAt(1), backendAt6(1)];
    const healthcheck = {
      kind: "ping",
      interval: "100ms",
      timeout: "100ms",
      initial_status: "unhealthy",
    };
    const gone = { kind: "ping", interval: "1h", initial_status: "unhealthy" };
    const shared = { pool: "p", discovery: undefined, balance: undefined };
    const servers = {
      web: web(backends, { access }),
      dns: dns([], shared), // a check by TCP of its own would be refused
      dead: web(backends, { bind: ":81", healthcheck: gone }),
    };
    const p = { discovery: { kind: "static", static_list: [backendAt(1)] }, healthcheck };
    const whole = { ...config(servers), pools: { p } };
    await using _twixt = await Twixt.start({ config: whole, wrap: networks.wrap });
    const startedAt = performance.now();
    assert.deepEqual(await client.do("tcp", BALANCER.ip, 80, 50), { ConnectionRefused: 50 });
    assert.deepEqual(await client.do("tcp", BALANCER.ip, 81, 50), { ConnectionRefused: 50 });
    assert(performance.now() - startedAt < 1_000);
    await assert.rejects(client.do("same", BALANCER.ip, 53));
    await assert.rejects(client.do("same", BALANCER.ip, 53));
    await networks.backend(1);
    assert.deepEqual(await client.do("tcp", BALANCER.ip6, 80, 10), { "b1 fd99:1::1": 10 });
    // the socket that was refused is served as soon as somebody is there
    await until(() => client.do("same", BALANCER.ip, 53).then(() => true, () => false), 3_000);
    await until(
      async () => {
        const { refused } = await api(networks, "/servers/web/stats");
        return refused.denied === 50;
      },
      3_000,
      "50 denied",
    );
    const { refused } = await api(networks, "/servers/dead/stats");
    assert.equal(refused.no_backend, 50);
  },
);

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
    assert.equal(PORT, 8000);
  },
);

Deno.test(
  "kernel: on_remove closes what a removed backend has, and nothing else; without it sessions finish",
  options,
  async () => {
    await using networks = await Networks.make(2);
    const client = await networks.client();
    await networks.backend(1);
    await networks.backend(2);
    const [first, second] = [[backendAt(1)], [backendAt(2)]];
    await using twixt = await start(networks, { web: web(first) });
    await client.do("hold");
    assert(await twixt.reload(config({ web: web(second) })));
    await pause(300);
    assert.equal(await client.do("say"), "hello");
    assert(await twixt.reload(config({ web: web(first, { on_remove: "close" }) })));
    await pause(300);
    assert.equal(await client.do("say"), "hello");
    await client.do("leave");
    assert.equal(await client.do("hold"), "b1 10.99.1.1");
    assert(await twixt.reload(config({ web: web(second, { on_remove: "close" }) })));
    await pause(300);
    await assert.rejects(client.do("say"), /ConnectionReset|BrokenPipe/);
    assert.equal(await client.do("hold"), "b2 10.99.2.1");
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
