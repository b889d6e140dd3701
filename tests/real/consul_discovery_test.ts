/** Backends from a real Consul, as instances of a service come, go, fail and are hidden by ACLs. */
import assert from "node:assert/strict";
import { byDenoRun } from "../support/host.ts";
import { ask, greeter, type TcpBackend, until } from "../support/backends.ts";
import { certificate } from "../support/certificates.ts";
import { Load } from "../support/clients.ts";
import { needs } from "../support/real.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import { Twixt } from "../support/twixt.ts";
import { Consul, type ServiceInstance } from "./_consul.ts";

const options = { ...needs(["consul", "setpriv", "openssl"]), timeout: 120_000 };
/** What it may take until a change is served. */
const SOON_MS = 5_000;

/** Twixt in front of the service "web", asked for once an hour but for changes. */
function start(
  consul: Consul,
  discovery: Record<string, unknown> = {},
  env: Record<string, string> = {},
): Promise<Twixt> {
  return Twixt.start({
    env,
    config: {
      workers: 1,
      api: { enabled: true, bind: "127.0.0.1:0" },
      servers: {
        web: {
          bind: "127.0.0.1:0",
          balance: "roundrobin",
          discovery: {
            kind: "consul",
            interval: "1h",
            consul_host: consul.address,
            consul_service_name: "web",
            ...discovery,
          },
        },
      },
    },
  });
}

/** Three backends that say their names. */
function greeters(stack: AsyncDisposableStack): readonly [TcpBackend, TcpBackend, TcpBackend] {
  return [stack.use(greeter("one")), stack.use(greeter("two")), stack.use(greeter("three"))];
}

/** The backend as an instance of "web" with its name as ID. */
function instance(
  backend: TcpBackend,
  name: string,
  more: Partial<ServiceInstance> = {},
): ServiceInstance {
  return { ID: name, Name: "web", Address: "127.0.0.1", Port: backend.port, ...more };
}

type Listed = {
  readonly host: string;
  readonly port: string;
  readonly weight: number;
  readonly priority: number;
  readonly max_connections: number;
  readonly sni?: string;
};

/** Who is listed and discovered. */
async function listed(twixt: Twixt): Promise<Listed[]> {
  const { backends } = await twixt.stats("web");
  return backends.filter((each: { stats: { discovered: boolean } }) => each.stats.discovered);
}

/** Resolves when exactly these are served, in time. */
async function serves(twixt: Twixt, backends: readonly TcpBackend[], withinMs = SOON_MS) {
  const wanted = backends.map(({ port }) => String(port)).sort().join();
  const since = performance.now();
  const held = async () => (await listed(twixt)).map(({ port }) => port).sort().join() === wanted;
  await until(held, withinMs, `the list ${wanted} (it is ${JSON.stringify(await listed(twixt))})`);
  return performance.now() - since;
}

Deno.test(
  "consul: instances that come and go are served and left within seconds",
  options,
  async () => {
    await using stack = new AsyncDisposableStack();
    const [one, two] = greeters(stack);
    const consul = stack.use(await Consul.start());
    const twixt = stack.use(await start(consul));
    await consul.register(instance(one, "one"));
    const added = await serves(twixt, [one]);
    assert.equal(await ask(twixt.port("web")), "one");
    await using load = new Load(
      4,
      async () => assert.match(await ask(twixt.port("web")), /^(one|two)$/),
      5,
    );
    await consul.register(instance(two, "two"));
    const more = await serves(twixt, [one, two]);
    await consul.deregister("one");
    const removed = await serves(twixt, [two]);
    console.log(`seen after ${[added, more, removed].map(Math.round).join(", ")} ms`);
    await load.stop();
    assert.deepEqual(load.failures, []);
    await consul.deregister("two");
    await serves(twixt, []);
  },
);

Deno.test(
  "consul: tags, weights, metadata and sni of instances are followed",
  options,
  async () => {
    await using stack = new AsyncDisposableStack();
    const [one, two, three] = greeters(stack);
    const consul = stack.use(await Consul.start());
    await consul.register(instance(one, "one", {
      Tags: ["eu", "v2", "sni=a.test"],
      Weights: { Passing: 7, Warning: 2 },
      Check: { TTL: "1h", Status: "passing" },
      Meta: { priority: "3", max_connections: "50" },
    }));
    await consul.register(instance(two, "two", { Tags: ["eu"] }));
    await consul.register(instance(three, "three", {
      Tags: ["v2", "eu"],
      Weights: { Passing: 7, Warning: 2 },
      Meta: { weight: "9" },
    }));
    const twixt = stack.use(await start(consul, { consul_service_tag: "eu, v2" }));
    await serves(twixt, [one, three]);
    const facts = async (backend: TcpBackend) => {
      const found = (await listed(twixt)).find(({ port }) => port === String(backend.port))!;
      const { weight, priority, max_connections, sni } = found;
      return { weight, priority, max_connections, sni };
    };
    assert.deepEqual(await facts(one), {
      ...{ weight: 7, priority: 3, max_connections: 50, sni: "a.test" },
    });
    assert.equal((await facts(three)).weight, 9);
    await consul.say("one", "warn");
    await until(async () => (await facts(one)).weight === 2, SOON_MS, "the weight of a warning");
    await consul.register(instance(two, "two", { Tags: ["eu", "v2"] }));
    await serves(twixt, [one, two, three]);
  },
);

Deno.test(
  "consul: passing_only leaves out who fails or warns, until it passes",
  options,
  async () => {
    await using stack = new AsyncDisposableStack();
    const [one, two] = greeters(stack);
    const consul = stack.use(await Consul.start());
    const Check = { TTL: "1h", Status: "passing" };
    await consul.register(instance(one, "one", { Check }));
    await consul.register(instance(two, "two", { Check }));
    const all = stack.use(await start(consul));
    const passing = stack.use(await start(consul, { consul_service_passing_only: true }));
    await serves(passing, [one, two]);
    for (const what of ["fail", "warn"] as const) {
      await consul.say("one", what);
      await serves(passing, [two]);
      await serves(all, [one, two]);
      await consul.say("one", "pass");
      await serves(passing, [one, two]);
    }
  },
);

Deno.test(
  "consul: killed or hung, its last list is served; back, it is followed again",
  options,
  async () => {
    await using stack = new AsyncDisposableStack();
    const [one, two] = greeters(stack);
    const consul = stack.use(await Consul.start());
    await consul.register(instance(one, "one"));
    const twixt = stack.use(await start(consul));
    await serves(twixt, [one]);
    await using load = new Load(
      4,
      async () => assert.match(await ask(twixt.port("web")), /^(one|two)$/),
      5,
    );
    consul.signal("SIGSTOP");
    for (let i = 0; i < 100; i++) assert.equal(await ask(twixt.port("web")), "one");
    consul.signal("SIGCONT");
    await consul.register(instance(two, "two"));
    await serves(twixt, [one, two]);

    await consul.kill();
    const { why } = await twixt.logged(({ msg }) => msg === "discovery failed");
    assert.match(String(why), /^Consul at 127\.0\.0\.1:\d+: connection refused$/);
    for (let i = 0; i < 100; i++) assert.match(await ask(twixt.port("web")), /^(one|two)$/);
    await serves(twixt, [one, two]);
    await load.stop();
    assert.deepEqual(load.failures, []);
    await consul.restart(); // it has forgotten everything
    await consul.register(instance(two, "two"));
    await serves(twixt, [two], 45_000);
    await consul.register(instance(one, "one"));
    await serves(twixt, [one, two], 15_000);
    await consul.deregister("two");
    await serves(twixt, [one]); // it is followed, not asked now and then
  },
);

Deno.test(
  "consul: with ACLs on it takes a token, and says what is missing with a wrong one",
  options,
  async () => {
    await using stack = new AsyncDisposableStack();
    const one = stack.use(greeter("one"));
    const consul = stack.use(await Consul.start({ acls: true }));
    await consul.register(instance(one, "one"));
    const token = await consul.tokenForService("web");
    const twixts = await Promise.all([
      start(consul, { consul_acl_token: token }),
      start(consul, {}, { CONSUL_HTTP_TOKEN: token }),
    ]);
    for (const twixt of twixts) stack.use(twixt);
    for (const twixt of twixts) {
      await serves(twixt, [one]);
      assert.doesNotMatch(twixt.text() + twixt.err.join(), new RegExp(token));
    }
    const wrong = "11111111-2222-3333-4444-555555555555";
    const denied = stack.use(await start(consul, { consul_acl_token: wrong }));
    const { why } = await denied.logged(({ msg }) => msg === "discovery failed");
    assert.match(
      String(why),
      /its ACLs don't let this token see the service: .*ACL not found; give/,
    );
    assert.doesNotMatch(denied.text(), new RegExp(wrong));
  },
);

if (byDenoRun) {
  Deno.test(
    "consul: by TLS its certificate is verified, unless the operator wants none of it",
    options,
    async () => {
      await using stack = new AsyncDisposableStack();
      const { path } = stack.use(new TemporaryFolder());
      const one = stack.use(greeter("one"));
      const tls = await certificate(path);
      const other = await certificate(path, "other");
      const consul = stack.use(await Consul.start({ tls }));
      await consul.register(instance(one, "one"));
      const secure = {
        consul_host: `127.0.0.1:${consul.httpsPort}`,
        consul_tls_enabled: true,
      };
      const trusting = stack.use(
        await start(consul, { ...secure, consul_tls_cacert_path: tls.ca }),
      );
      await serves(trusting, [one]);
      const insecure = stack.use(await start(consul, { ...secure, consul_tls_insecure: true }));
      await serves(insecure, [one]);
      for (const more of [{}, { consul_tls_cacert_path: other.ca }]) {
        const refusing = stack.use(await start(consul, { ...secure, ...more }));
        const { why } = await refusing.logged(({ msg }) => msg === "discovery failed");
        assert.match(String(why), /certificate/i);
        assert.deepEqual(await listed(refusing), []);
      }
    },
  );
}
