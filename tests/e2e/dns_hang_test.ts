import assert from "node:assert/strict";
import { ask, greeter, until } from "../support/backends.ts";
import { Load } from "../support/clients.ts";
import { DnsServer } from "../support/dns_server.ts";
import { hasMounts } from "../support/host.ts";
import { staticServer } from "../support/static_server.ts";
import { Twixt } from "../support/twixt.ts";

Deno.test("a backend whose DNS server is silent delays nobody, and is used once it answers", {
  ignore: !hasMounts,
  timeout: 120_000,
}, async () => {
  await using named = greeter("named");
  await using literal = greeter("literal");
  await using dns = new DnsServer("127.0.0.153");
  const name = `backend.twixt.example:${named.port}`;
  const servers = { web: staticServer([name, literal]), only: staticServer([name]) };
  const since = performance.now();
  await using twixt = await Twixt.start({
    config: { workers: 2, api: { enabled: true, bind: "127.0.0.1:0" }, servers },
    wrap: askingOnly(dns),
  });
  const started = performance.now() - since;
  const before = await twixt.descriptors();

  let longest = 0;
  await using load = new Load(4, async () => {
    const since = performance.now();
    assert.match(await ask(twixt.port("web")), /^(literal|named)$/);
    longest = Math.max(longest, performance.now() - since);
  }, 10);
  await until(() => load.served > 500);
  assert(dns.asked > 0, "nobody asked the DNS server");
  assert.equal(named.count, 0);
  const alone = performance.now();
  assert.equal(await ask(twixt.port("only")), "", "nobody can serve this");
  assert(performance.now() - alone < 500, "the client had to wait");
  const [first] = (await twixt.stats("only")).backends;
  assert.equal(first.stats.live, false);
  await twixt.logged(({ msg }) => msg.startsWith("backends' names can't be resolved"));
  const asked = dns.asked;
  const slowest = longest; // while it was silent

  dns.address = "127.0.0.1";
  const answeredAt = performance.now();
  await until(() => named.count > 0, 60_000, "a client of the named backend");
  const used = performance.now() - answeredAt;
  await load.stop();
  assert.equal(await ask(twixt.port("only")), "named");
  console.log(
    `silent DNS: start in ${Math.round(started)} ms, ${asked} questions, slowest client ` +
      `${Math.round(slowest)} ms; used ${Math.round(used)} ms after it answers`,
  );
  assert.deepEqual(load.failures, []);
  assert(started < 2_000, `the start took ${started} ms`);
  assert(slowest < 500, `a client waited ${slowest} ms`);
  assert(used < 30_000, `the name was used only after ${used} ms`);
  await twixt.descriptorsReturn(before);
});

Deno.test("with 500 names and a silent DNS server, reloads, checks and the log go on as usual", {
  ignore: !hasMounts,
  timeout: 60_000,
}, async () => {
  await using literal = greeter("literal");
  await using dns = new DnsServer("127.0.0.153");
  const names = Array.from({ length: 500 }, (_, i) => `backend${i}.twixt.example:80`);
  const config = (workers: number) => ({
    ...{ workers, api: { enabled: true, bind: "127.0.0.1:0" } },
    servers: {
      named: staticServer(names),
      web: staticServer([literal], { healthcheck: { kind: "ping", interval: "200ms" } }),
    },
  });
  await using twixt = await Twixt.start({ config: config(1), wrap: askingOnly(dns) });
  await until(() => dns.asked >= 8);
  for (let i = 0; i < 5; i++) {
    const since = performance.now();
    const answer = await twixt.api("/reload", "POST");
    await answer.body?.cancel();
    assert.equal(answer.status, 200);
    const took = performance.now() - since;
    assert(took < 2_000, `a reload took ${took} ms`);
    assert.equal(await ask(twixt.port("web")), "literal");
    await new Promise((resolve) => setTimeout(resolve, 1_500));
  }
  const about = twixt.lines.filter(({ msg }) =>
    msg.startsWith("backends' names can't be resolved")
  );
  assert(about.length > 0 && about.length < 10, `${about.length} lines`);
  const [backend] = (await twixt.stats("web")).backends;
  assert.deepEqual([backend.stats.live, backend.stats.last_check], [true, "connected"]);
});

Deno.test("twixt ends at once although a backend's DNS server is silent", {
  ignore: !hasMounts,
  timeout: 60_000,
}, async () => {
  await using dns = new DnsServer("127.0.0.153");
  await using twixt = await Twixt.start({
    config: { servers: { web: staticServer(["backend.twixt.example:80"]) } },
    wrap: askingOnly(dns),
  });
  await until(() => dns.asked > 0);
  const since = performance.now();
  twixt.signal("SIGTERM");
  assert.equal(await twixt.ended(), 0);
  const after = performance.now() - since;
  console.log(`ended ${Math.round(after)} ms after SIGTERM while a name was being asked for`);
  assert(after < 2_000, `after ${after} ms`);
});

/** Runs the program with a resolver configuration of its own. */
function askingOnly(dns: DnsServer): string {
  const resolve = `echo nameserver ${dns.hostname} > $FOLDER/resolv.conf; ` +
    `mount --bind $FOLDER/resolv.conf "$(readlink -f /etc/resolv.conf)"`;
  return `exec unshare -m sh -c '${resolve} && exec "$@"' - {}`;
}
