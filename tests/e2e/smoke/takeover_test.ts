/** `--takeover`: what the successor has from the process before it, and what becomes of that one. */
import assert from "node:assert/strict";
import { ask, echo, greeter, type TcpBackend, until, writeAll } from "../../support/backends.ts";
import { connect, freePort, untilEnd } from "../../support/clients.ts";
import { staticServer } from "../../support/static_server.ts";
import { runTwixt, Twixt } from "../../support/twixt.ts";

const timeout = 30_000;

/** Two workers, an API, and a server on a port that stays the same. */
function config(
  backends: readonly (TcpBackend | string)[],
  more: Record<string, unknown> = {},
  web: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    workers: 2,
    api: { enabled: true, bind: `127.0.0.1:${freePort()}` },
    servers: { web: staticServer(backends, { bind: `127.0.0.1:${freePort()}`, ...web }) },
    ...more,
  };
}

/** Sends a byte and waits for it to come back. */
async function exchange(conn: Deno.Conn, byte: number): Promise<void> {
  const buffer = new Uint8Array(8);
  await writeAll(conn, Uint8Array.of(byte));
  assert.equal(await conn.read(buffer), 1);
  assert.equal(buffer[0], byte);
}

/** Ends a session of an echo, which says goodbye. */
async function leave(conn: Deno.TcpConn): Promise<void> {
  await conn.closeWrite();
  assert.deepEqual(await untilEnd(conn), { end: "fin", bytes: 0 });
}

async function json(answer: Response) {
  assert.equal(answer.status, 200, `${answer.url}: ${answer.statusText}`);
  return await answer.json();
}

/** What 60 clients in a row are told. */
async function answers(port: number): Promise<Set<string>> {
  const heard = new Set<string>();
  for (let i = 0; i < 60; i++) heard.add(await ask(port));
  return heard;
}

/** What the API says of each backend of web. */
async function weightsAndDrains(twixt: Twixt): Promise<[weight: number, draining: boolean][]> {
  const { backends } = await json(await twixt.api("/pools/web"));
  return backends.map((each: { weight: number; stats: { draining?: boolean } }) => [
    each.weight,
    each.stats.draining ?? false,
  ]);
}

Deno.test("--takeover hands over port, API and pid file; the old one ends with its last session", {
  timeout,
}, async () => {
  await using backend = echo();
  await using old = await Twixt.start({ config: config([backend]) });
  const port = old.port("web");
  using session = await connect(port);
  await exchange(session, 1);
  await using next = await old.takeover();

  const { pid } = await next.logged(({ msg }) => msg === "taken over");
  assert.equal(pid, old.pid);
  await old.logged(({ msg }) =>
    msg === "taken over by another process: no new clients, open sessions may finish"
  );
  assert.equal(await old.pidInFile(), next.pid);
  assert.equal((await json(await old.api("/"))).pid, next.pid); // who asks at the old address gets the new one
  assert.equal((await next.stats("web")).active_connections, 0);
  for (let byte = 2; byte < 10; byte++) {
    using conn = await connect(port);
    await exchange(conn, byte);
    assert.equal((await next.stats("web")).active_connections, 1, "the old one has taken a client");
    await exchange(session, byte);
    await leave(conn);
  }
  await leave(session);
  assert.equal(await old.ended(), 0);
  assert.equal(await old.pidInFile(), next.pid);
  const stopped = await runTwixt(["stop", "-p", old.pidFile]);
  assert.equal(stopped.code, 0, stopped.err);
  assert.equal(await next.ended(), 0);
  assert.deepEqual([...old.err, ...next.err], []);
});

Deno.test("--takeover finds the old one's changes behind a link and with another state file", {
  timeout,
}, async () => {
  await using one = greeter("one");
  await using two = greeter("two");
  const both = config([one, two]);
  await using old = await Twixt.start({ config: both });
  const { folder, pidFile } = old;
  await json(await old.api(`/pools/web/backends/${one.address}`, "PATCH", { drain: true }));
  await Deno.rename(pidFile, `${folder}/real.pid`);
  await Deno.symlink("real.pid", pidFile);
  await using next = await old.takeover({ config: { ...both, state_file: `${folder}/b.json` } });
  assert.equal(await old.ended(), 0);
  assert.deepEqual(await answers(next.port("web")), new Set(["two"]));
  const kept = JSON.parse(await Deno.readTextFile(`${folder}/b.json`));
  assert.deepEqual(Object.keys(kept.overlay.backends.web), [one.address]);
  await assert.rejects(Deno.stat(`${folder}/real.pid.handover`));
});

Deno.test("--takeover keeps what was changed through the API: a drain, a weight, servers", {
  timeout,
}, async () => {
  await using one = greeter("one");
  await using two = greeter("two");
  await using three = greeter("three");
  const both = config([one, two, three], {}, { balance: "weight" });
  await using old = await Twixt.start({ config: both });
  const added = freePort();
  const patch = (path: string, body: unknown) =>
    old.api(`/pools/web/backends/${path}`, "PATCH", body);
  await json(await patch(one.address, { drain: true }));
  await json(await patch(two.address, { weight: 0 }));
  await json(await patch(three.address, { weight: 2 }));
  const server = staticServer([two], { bind: `127.0.0.1:${added}` });
  await json(await old.api("/servers/added", "POST", server));
  assert.deepEqual(await answers(old.port("web")), new Set(["three"]));

  await using next = await old.takeover();
  assert.equal(await old.ended(), 0);
  assert.deepEqual(await answers(next.port("web")), new Set(["three"]));
  assert.deepEqual(await answers(added), new Set(["two"]));
  assert.deepEqual(await weightsAndDrains(next), [[1, true], [0, false], [2, false]]);

  // and it goes on from there
  const path = `/pools/web/backends/${one.address}`;
  await json(await next.api(path, "PATCH", { drain: false }));
  await json(await next.api("/servers/added", "DELETE"));
  await using last = await next.takeover();
  assert.equal(await next.ended(), 0);
  assert.deepEqual(await weightsAndDrains(last), [[1, false], [0, false], [2, false]]);
  assert.deepEqual(await answers(last.port("web")), new Set(["one", "three"]));
  await assert.rejects(ask(added));
});

Deno.test("--takeover loses no change that the API has confirmed meanwhile", {
  timeout,
}, async () => {
  const keys = Array.from({ length: 500 }, (_, i) => `127.0.0.1:${10_000 + i}`); // nobody dials them
  await using old = await Twixt.start({ config: config(keys) });
  const confirmed = new Map<string, number>();
  const stop = new AbortController();
  const changing = (async () => {
    for (let weight = 2; !stop.signal.aborted; weight++) {
      const key = keys[weight % keys.length]!;
      const answer = await old.api(`/pools/web/backends/${key}`, "PATCH", { weight })
        .catch(() => undefined); // for a moment nobody is there
      await answer?.body?.cancel();
      if (answer?.ok) confirmed.set(key, weight);
    }
  })();
  await until(() => confirmed.size > 10);
  await using next = await old.takeover();
  const before = confirmed.size;
  await until(() => confirmed.size > before);
  stop.abort();
  await changing;
  const { backends } = await json(await next.api("/pools/web"));
  const weights = new Map<string, number>();
  for (const { host, port, weight } of backends) weights.set(`${host}:${port}`, weight);
  const lost = [...confirmed].filter(([key, weight]) => weights.get(key) !== weight);
  console.log(`${confirmed.size} changes were confirmed, ${lost.length} lost`);
  assert.deepEqual(lost, []);
});

Deno.test("--takeover takes a configuration that has changed: servers come and go", {
  timeout,
}, async () => {
  await using red = greeter("red");
  await using backend = echo();
  const before = config([backend]);
  await using old = await Twixt.start({ config: before });
  const gone = old.port("web");
  using session = await connect(gone);
  await exchange(session, 1);
  const other = staticServer([red], { bind: `127.0.0.1:${freePort()}` });
  await using next = await old.takeover({ config: { ...before, servers: { other } } });
  assert.equal(await ask(next.port("other")), "red");
  const refused = () => connect(gone).then((conn) => conn.close(), (error) => error);
  await until(async () => await refused() instanceof Deno.errors.ConnectionRefused);
  await exchange(session, 2);
  await leave(session);
  assert.equal(await old.ended(), 0);
});

Deno.test("--takeover keeps a backend down that was down, before it is checked again", {
  timeout,
}, async () => {
  await using good = greeter("good");
  const hostname = "127.77.3.9"; // where no other test listens: the port is free for a while
  const port = freePort(hostname);
  const down = `${hostname}:${port}`;
  const healthcheck = { kind: "ping", interval: "1m", timeout: "25s" };
  const web = config([good, down], {}, { healthcheck, dial_attempts: 1 });
  await using old = await Twixt.start({ config: web });
  await old.logged(({ msg, backend }) => msg === "backend is down" && backend === down);

  // somebody listens there now, but has no place for a connection: checks get neither yes nor no
  using listener = Deno.listen({ hostname, port, tcpBacklog: 1 });
  await using stack = new AsyncDisposableStack();
  for (let i = 0; i < 2; i++) stack.use(await Deno.connect({ hostname, port }));
  await using next = await old.takeover();
  assert.equal(await old.ended(), 0);
  const since = performance.now();
  assert.deepEqual(await answers(next.port("web")), new Set(["good"]));
  assert(performance.now() - since < 2_000, "somebody waited for the backend that is down");
  const live = async () => {
    const { backends } = await next.stats("web");
    return backends.map(({ stats }: { stats: { live: boolean } }) => stats.live);
  };
  assert.deepEqual(await live(), [true, false]);

  for (let i = 0; i < 2; i++) (await listener.accept()).close();
  await next.logged(({ msg, backend }) => msg === "backend is live" && backend === down);
  assert.deepEqual(await live(), [true, true]);
});

Deno.test("a third process takes over while the first still has a session", {
  timeout,
}, async () => {
  await using backend = echo();
  await using first = await Twixt.start({ config: config([backend]) });
  const port = first.port("web");
  using one = await connect(port);
  await exchange(one, 1);
  await using second = await first.takeover();
  using two = await connect(port);
  await exchange(two, 1);
  await using third = await second.takeover();
  using three = await connect(port);
  for (const conn of [one, two, three]) await exchange(conn, 2);
  assert.equal(await first.pidInFile(), third.pid);
  assert.equal((await json(await third.api("/"))).pid, third.pid);
  await leave(two);
  assert.equal(await second.ended(), 0);
  for (const conn of [one, three]) await exchange(conn, 3);
  await leave(one);
  assert.equal(await first.ended(), 0);
  await exchange(three, 4);
  assert.equal(await first.pidInFile(), third.pid);
});

Deno.test("SIGTERM gives the sessions of one that was taken over from shutdown_timeout to end", {
  timeout,
}, async () => {
  await using backend = echo();
  const limited = config([backend], { shutdown_timeout: "500ms" });
  await using old = await Twixt.start({ config: limited });
  using session = await connect(old.port("web"));
  await exchange(session, 1);
  await using next = await old.takeover();
  using other = await connect(next.port("web"));
  await exchange(other, 1);
  await exchange(session, 2);
  const since = performance.now();
  old.signal("SIGTERM");
  assert.equal(await old.ended(), 0);
  const after = performance.now() - since;
  assert(after >= 400 && after < 3_000, `ended after ${after} ms`);
  await untilEnd(session);
  await exchange(other, 2);
  assert.equal(await old.pidInFile(), next.pid);
});

Deno.test("takeover_timeout limits how long sessions stay after a takeover", {
  timeout,
}, async () => {
  await using backend = echo();
  const limited = config([backend], { takeover_timeout: "1s" });
  await using old = await Twixt.start({ config: limited });
  using session = await connect(old.port("web"));
  await exchange(session, 1);
  await using next = await old.takeover();
  const since = performance.now(); // a moment after the takeover
  assert.equal((await untilEnd(session)).bytes, 0);
  const after = performance.now() - since;
  assert(after > 300 && after < 3_000, `ended after ${after} ms`);
  assert.equal(await old.ended(), 0);
  using other = await connect(next.port("web"));
  await exchange(other, 1);
});
