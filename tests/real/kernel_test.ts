import assert from "node:assert/strict";
import { until } from "../support/backends.ts";
import { pause } from "../support/clients.ts";
import { Twixt } from "../support/twixt.ts";
import { backendAt, backendAt6, BALANCER, CLIENT, Networks } from "../support/networks.ts";
import {
  api,
  config,
  dns,
  options,
  type Section,
  start,
  tables,
  web,
  within500,
} from "./_kernel.ts";

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
    await until(
      async () => {
        const { backends } = await api(networks, "/servers/web/stats");
        const counts = backends.map(({ stats }: { stats: Section }) => stats.total_connections);
        return counts.reduce((sum: number, count: number) => sum + count, 0) === 2_400;
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

Deno.test("kernel: a backend on this very host, and clients of this host", options, async () => {
  await using networks = await Networks.make(1);
  const client = await networks.client();
  await networks.backend(1);
  const inner = web([backendAt(1)], { forward: "user", bind: `${BALANCER.ip}:8080` });
  const outer = web([`${BALANCER.ip}:8080`], { bind: ":81" });
  await using _twixt = await start(networks, { inner, outer });
  assert.deepEqual(await client.do("tcp", BALANCER.ip, 81, 20), { "b1 10.99.1.1": 20 });
  const own = await networks.in(
    "balancer",
    "bash",
    "-c",
    `exec 3<>/dev/tcp/${BALANCER.ip}/81; head -1 <&3`,
  );
  assert.equal(own, "b1 10.99.1.1\n");
  await until(
    async () => {
      const { backends: [{ stats }] } = await api(networks, "/servers/outer/stats");
      return stats.total_connections === 21 && stats.rx > 21 * 150 && stats.tx > 21 * 150;
    },
    3_000,
    "sessions and bytes of both",
  );
});
