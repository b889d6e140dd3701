import assert from "node:assert/strict";
import { exchange } from "../../lib/net/dns/exchange.ts";
import { ask, TcpBackend, until, writeAll } from "../support/backends.ts";
import { freePort, Load, pause } from "../support/clients.ts";
import { hasIPv6, hasMounts } from "../support/host.ts";
import { needs } from "../support/real.ts";
import { Twixt } from "../support/twixt.ts";
import { Folder } from "./_daemon.ts";
import { Dnsmasq } from "./_dnsmasq.ts";

const options = { ...needs(["dnsmasq", "setpriv"]), timeout: 120_000 };
const NAME = "_web._tcp.test";

/** Says its name and hangs up. */
function named(name: string, hostname = "127.0.0.1", port = 0): TcpBackend {
  return new TcpBackend((conn) => writeAll(conn, new TextEncoder().encode(name)), port, hostname);
}

/** Twixt with the server `web`, whose backends come from this discovery. */
function start(
  discovery: Record<string, unknown>,
  more: Partial<Parameters<typeof Twixt.start>[0]> = {},
) {
  const web = { bind: "127.0.0.1:0", balance: "roundrobin", discovery };
  const api = { enabled: true, bind: "127.0.0.1:0" };
  return Twixt.start({ config: { workers: 2, api, servers: { web } }, ...more });
}

/** The backends as the API shows them: `host:port priority/weight sni`. */
async function listed(twixt: Twixt): Promise<string[]> {
  const { backends } = await twixt.stats("web");
  // deno-lint-ignore no-explicit-any
  return backends.map(({ host, port, priority, weight, sni }: any) =>
    `${host}:${port} ${priority}/${weight} ${sni ?? ""}`
  );
}

/** Resolves when the API shows exactly these, in any order. */
async function lists(twixt: Twixt, wanted: readonly string[], withinMs = 10_000): Promise<void> {
  let last: string[] = [];
  const same = async () => {
    last = await listed(twixt);
    return last.toSorted().join("\n") === wanted.toSorted().join("\n");
  };
  await until(same, withinMs).catch((error) => {
    throw new Error(`${error.message}; it lists ${JSON.stringify(last)}\n${twixt.text()}`);
  });
}

/** Clients who must all be served, whatever happens to DNS; `seen` are the names of who served since it was cleared. */
function clients(twixt: Twixt) {
  const seen = new Set<string>();
  const load = new Load(4, async () => {
    const said = await ask(twixt.port("web"));
    assert.notEqual(said, "", "nobody served");
    seen.add(said);
  }, 5);
  return { load, seen };
}

/** The failures that its log tells of, as why. */
function failures(twixt: Twixt): string[] {
  return twixt.lines.filter(({ msg }) => msg === "discovery failed").map(({ why }) => String(why));
}

Deno.test(
  "srv: the pool follows dnsmasq, and stands while that is gone, hangs or denies",
  options,
  async () => {
    await using stack = new AsyncDisposableStack();
    const [a, b] = ["a", "b"].map((name) => stack.use(named(name)));
    const base = ["host-record=a.test,127.0.0.1", "host-record=b.test,127.0.0.1"];
    const rowA = `srv-host=${NAME},a.test,${a!.port},0,0`;
    const rowB = `srv-host=${NAME},b.test,${b!.port},0,7`;
    const dnsmasq = stack.use(
      await Dnsmasq.start(stack.use(await Folder.make()), [...base, rowA]),
    );
    const twixt = stack.use(
      await start({
        kind: "srv",
        srv_lookup_server: dnsmasq.address,
        srv_lookup_pattern: `${NAME}.`,
        interval: "1s",
        timeout: "2s",
      }),
    );
    const onlyA = [`127.0.0.1:${a!.port} 0/0 a.test`];
    const both = [...onlyA, `127.0.0.1:${b!.port} 0/7 b.test`].sort();
    await lists(twixt, onlyA);
    const { load, seen } = clients(twixt);
    stack.use(load);
    const before = await twixt.descriptors();

    const changedAt = performance.now();
    await dnsmasq.serve([...base, rowA, rowB]);
    await lists(twixt, both);
    console.log(`srv: a change was followed in ${Math.round(performance.now() - changedAt)} ms`);
    await until(() => seen.has("b"));

    await dnsmasq.stop();
    await until(() => failures(twixt).length > 0);
    await lists(twixt, both);
    await dnsmasq.serve([...base, rowA]);
    await lists(twixt, onlyA, 20_000);

    dnsmasq.signal("SIGSTOP");
    const failed = failures(twixt).length;
    await until(() => failures(twixt).length > failed);
    await lists(twixt, onlyA);
    dnsmasq.signal("SIGCONT");

    await dnsmasq.serve(base);
    const denied = `"${NAME}" doesn't exist (the DNS server says NXDOMAIN)`;
    await until(() => failures(twixt).includes(denied), 20_000);
    await lists(twixt, onlyA);

    await dnsmasq.serve([...base, rowB]);
    await lists(twixt, both.filter((row) => !onlyA.includes(row)), 20_000);
    seen.clear();
    await until(() => seen.size > 0);
    await load.stop();
    assert.deepEqual(load.failures, []);
    console.log(`srv: ${load.served} clients served throughout; ${failures(twixt).join("; ")}`);
    await twixt.descriptorsReturn(before);
  },
);

Deno.test(
  "srv: an answer of 300 records comes over TCP, and all of them are backends",
  options,
  async () => {
    await using stack = new AsyncDisposableStack();
    const a = stack.use(named("a"));
    const ports = Array.from({ length: 300 }, (_, i) => 40_000 + i).filter((port) =>
      port !== a.port
    );
    const rows = [
      `srv-host=${NAME},a.test,${a.port},0,1`,
      // of a lower priority, and without an address beside: each is asked for
      ...ports.map((port) => `srv-host=${NAME},h${port}.test,${port},1,1`),
      ...ports.map((port) => `host-record=h${port}.test,127.0.0.1`),
      "host-record=a.test,127.0.0.1",
    ];
    const dnsmasq = stack.use(await Dnsmasq.start(stack.use(await Folder.make()), rows));
    const server = { address: dnsmasq.hostname, port: dnsmasq.port };
    const question = { id: 7, name: NAME, type: "SRV", edns: true } as const;
    const { truncated } = await exchange(server, "udp", question, AbortSignal.timeout(5_000));
    assert(truncated, "the answer should be too long for UDP");
    for (const protocol of ["udp", "tcp"]) {
      await using twixt = await start({
        kind: "srv",
        srv_lookup_server: dnsmasq.address,
        srv_lookup_pattern: NAME,
        srv_dns_protocol: protocol,
        interval: "1s",
      });
      const wanted = [
        ...ports.map((port) => `127.0.0.1:${port} 1/1 h${port}.test`),
        `127.0.0.1:${a.port} 0/1 a.test`,
      ];
      await lists(twixt, wanted.sort());
      assert.equal(await ask(twixt.port("web")), "a");
      const before = await twixt.descriptors();
      await pause(2_500); // two more questions
      await twixt.descriptorsReturn(before);
      assert.deepEqual(failures(twixt), []);
    }
  },
);

Deno.test("srv: targets with IPv6, with several addresses and with none", {
  ...options,
  ignore: options.ignore || !hasIPv6,
}, async () => {
  await using stack = new AsyncDisposableStack();
  const six = stack.use(named("six", "::1"));
  const two = stack.use(named("two", "127.0.0.2"));
  stack.use(named("three", "127.0.0.3", two.port));
  const dnsmasq = stack.use(
    await Dnsmasq.start(stack.use(await Folder.make()), [
      `srv-host=${NAME},six.test,${six.port},5,3`,
      `srv-host=${NAME},many.test,${two.port},5,3`,
      `srv-host=${NAME},gone.test,80,5,3`,
      "host-record=six.test,::1",
      "host-record=many.test,127.0.0.2",
      "host-record=many.test,127.0.0.3",
      "txt-record=many.test,other types are passed over",
    ]),
  );
  const twixt = stack.use(
    await start({
      kind: "srv",
      srv_lookup_server: dnsmasq.address.replace("127.0.0.1", "localhost"),
      srv_lookup_pattern: NAME,
      interval: "1s",
    }),
  );
  const wanted = [
    `127.0.0.2:${two.port} 5/3 many.test`,
    `127.0.0.3:${two.port} 5/3 many.test`,
    `[::1]:${six.port} 5/3 six.test`,
  ];
  await until(async () => (await listed(twixt)).length === 3);
  assert.deepEqual((await listed(twixt)).sort().map((row) => row.replace(/^::1/, "[::1]")), wanted);
  const { load, seen } = clients(twixt);
  stack.use(load);
  await until(() => seen.size === 3);
  await load.stop();
  assert.deepEqual(load.failures, []);
  const { count, examples } = await twixt.logged(({ msg }) =>
    msg === "discovered backends were skipped"
  );
  assert.equal(count, 1);
  assert.match(String(examples), /gone\.test.*NXDOMAIN/);
});

Deno.test(
  "dns: the pool follows a name within its TTL, however long the interval",
  options,
  async () => {
    await using stack = new AsyncDisposableStack();
    const two = stack.use(named("two", "127.0.0.2"));
    const port = two.port;
    for (const last of [3, 4]) stack.use(named(`n${last}`, `127.0.0.${last}`, port));
    const hosts = (...last: number[]) => last.map((n) => `host-record=web.test,127.0.0.${n}`);
    const rows = (...last: number[]) => last.map((n) => `127.0.0.${n}:${port} 1/1 `);
    const dnsmasq = stack.use(
      await Dnsmasq.start(stack.use(await Folder.make()), hosts(2, 3)),
    );
    const twixt = stack.use(
      await start({
        kind: "dns",
        dns_name: "web.test",
        dns_port: port,
        dns_lookup_server: dnsmasq.address,
        interval: "1h",
        timeout: "2s",
      }),
    );
    await lists(twixt, rows(2, 3));
    const { load, seen } = clients(twixt);
    stack.use(load);
    await dnsmasq.serve(hosts(2, 3, 4));
    await lists(twixt, rows(2, 3, 4), 5_000); // a question may be lost while dnsmasq starts
    await until(() => seen.has("n4"));

    await dnsmasq.stop();
    await until(() => failures(twixt).length > 0);
    await dnsmasq.serve(hosts(2, 4));
    await lists(twixt, rows(2, 4), 30_000);
    dnsmasq.signal("SIGSTOP");
    const failed = failures(twixt).length;
    await until(() => failures(twixt).length > failed);
    dnsmasq.signal("SIGCONT");
    await dnsmasq.serve(hosts(3));
    await lists(twixt, rows(3), 30_000);
    seen.clear();
    await until(() => seen.has("n3"));
    await load.stop();
    assert.deepEqual(load.failures, []);
    console.log(`dns: ${load.served} clients served throughout; ${failures(twixt).join("; ")}`);
  },
);

Deno.test(
  "dns: an existing name without addresses empties the pool, one that doesn't exist doesn't",
  options,
  async () => {
    await using stack = new AsyncDisposableStack();
    const backend = stack.use(named("a"));
    const dnsmasq = stack.use(
      await Dnsmasq.start(stack.use(await Folder.make()), ["host-record=web.test,127.0.0.1"], {
        hostname: hasIPv6 ? "::1" : "127.0.0.1",
      }),
    );
    const twixt = stack.use(
      await start({
        kind: "dns",
        dns_name: "web.test",
        dns_port: backend.port,
        dns_lookup_server: dnsmasq.address,
        dns_family: "ipv4",
        interval: "1s",
      }),
    );
    const row = `127.0.0.1:${backend.port} 1/1 `;
    await lists(twixt, [row]);
    await dnsmasq.serve([]);
    await until(() => failures(twixt).some((why) => why.includes("NXDOMAIN")));
    await lists(twixt, [row]);
    await dnsmasq.serve(["host-record=web.test,::1"]);
    await lists(twixt, [], 30_000);
  },
);

Deno.test("dns without a server asks as this host does: hosts file, resolv.conf, search domains", {
  ...options,
  ignore: options.ignore || !hasMounts,
}, async () => {
  await using stack = new AsyncDisposableStack();
  const port = freePort();
  for (const last of [2, 3, 4]) stack.use(named(`n${last}`, `127.0.0.${last}`, port));
  const at53 = { hostname: "127.0.0.154", port: 53 };
  const records = ["host-record=web.lan.test,127.0.0.3", "cname=alias.test,web.lan.test"];
  stack.use(await Dnsmasq.start(stack.use(await Folder.make()), records, at53));
  const mounts = "echo nameserver 127.0.0.155 > $FOLDER/resolv.conf; " + // nobody there
    "echo nameserver 127.0.0.154 >> $FOLDER/resolv.conf; echo search lan.test >> $FOLDER/resolv.conf; " +
    "echo 127.0.0.2 local.test > $FOLDER/hosts; mount --bind $FOLDER/hosts /etc/hosts; " +
    'mount --bind $FOLDER/resolv.conf "$(readlink -f /etc/resolv.conf)"';
  const wrap = `exec unshare -m sh -c '${mounts} && exec "$@"' - {}`;
  const wanted = { "local.test": "n2", "web": "n3", "alias.test": "n3", "web.lan.test.": "n3" };
  for (const [name, who] of Object.entries(wanted)) {
    await using twixt = await start({ kind: "dns", dns_name: name, dns_port: port }, { wrap });
    await until(async () => await ask(twixt.port("web")) === who, 10_000, `${name}: ${who}`);
    assert.deepEqual(failures(twixt), []);
  }
  await using twixt = await start({ kind: "dns", dns_name: "no", dns_port: port }, { wrap });
  await until(() => failures(twixt).length > 0);
  assert.match(failures(twixt)[0]!, /^"no(\.lan\.test)?" (doesn't exist|can't be answered)/);
});
