/** Signals: what they change, and what goes on. */
import assert from "node:assert/strict";
import {
  ask,
  echo,
  greeter,
  readAll,
  type TcpBackend,
  until,
  writeAll,
} from "../../support/backends.ts";
import { connect, freePort, untilEnd } from "../../support/clients.ts";
import { staticServer } from "../../support/static_server.ts";
import { runTwixt, Twixt } from "../../support/twixt.ts";

const timeout = 30_000;

function config(
  servers: Record<string, readonly (TcpBackend | string)[]>,
  ports: Record<string, number> = {},
): Record<string, unknown> {
  const sections = Object.entries(servers).map(([name, backends]) => [
    name,
    staticServer(backends, { bind: `127.0.0.1:${ports[name] ?? 0}` }),
  ]);
  return { workers: 2, servers: Object.fromEntries(sections) };
}

/** Sends a byte and waits for it to come back. */
async function exchange(conn: Deno.Conn, byte: number): Promise<void> {
  const buffer = new Uint8Array(8);
  await writeAll(conn, Uint8Array.of(byte));
  assert.equal(await conn.read(buffer), 1);
  assert.equal(buffer[0], byte);
}

/** What is heard after one has said nothing: a greeting, or nothing from an echo. */
async function hear(port: number): Promise<string> {
  using conn = await connect(port);
  await conn.closeWrite();
  return new TextDecoder().decode(await readAll(conn));
}

async function refuses(port: number): Promise<boolean> {
  try {
    (await connect(port)).close();
    return false;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionReset) return false; // it was still in the queue
    assert(error instanceof Deno.errors.ConnectionRefused, String(error));
    return true;
  }
}

Deno.test("SIGTERM refuses new clients, lets open sessions finish, and exits 0", {
  timeout,
}, async () => {
  await using backend = echo();
  await using twixt = await Twixt.start({ config: config({ web: [backend] }) });
  using conn = await connect(twixt.port("web"));
  await exchange(conn, 1);
  twixt.signal("SIGTERM");
  const stopping = await twixt.logged(({ msg }) => msg.startsWith("stopping"));
  assert.equal(stopping.open, 1);
  await until(() => refuses(twixt.port("web")));
  for (let byte = 2; byte < 10; byte++) await exchange(conn, byte);
  await conn.closeWrite();
  assert.deepEqual(await untilEnd(conn), { end: "fin", bytes: 0 });
  assert.equal(await twixt.ended(), 0);
  assert.equal(twixt.lines.at(-1)!.msg, "stopped: all sessions have ended");
});

Deno.test("SIGTERM ends sessions that are still open after shutdown_timeout", {
  timeout,
}, async () => {
  await using backend = echo();
  await using twixt = await Twixt.start({
    config: { ...config({ web: [backend] }), shutdown_timeout: "500ms" },
  });
  using conn = await connect(twixt.port("web"));
  await exchange(conn, 1);
  twixt.signal("SIGTERM");
  assert.equal(await twixt.ended(), 0);
  assert.equal(twixt.lines.at(-1)!.msg, "stopped: the limit has passed");
  assert.equal(twixt.lines.at(-1)!.cut, 1);
  await untilEnd(conn);
});

Deno.test("a second SIGTERM ends everything at once, and the exit code is 0", {
  timeout,
}, async () => {
  await using backend = echo();
  await using twixt = await Twixt.start({ config: config({ web: [backend] }) });
  using conn = await connect(twixt.port("web"));
  await exchange(conn, 1);
  twixt.signal("SIGTERM");
  await twixt.logged(({ msg }) => msg.startsWith("stopping"));
  const since = performance.now();
  twixt.signal("SIGINT"); // either of them counts
  assert.equal(await twixt.ended(), 0);
  const after = performance.now() - since;
  console.log(`ended ${Math.round(after)} ms after the second signal`);
  assert(after < 2_000, `ended after ${after} ms`);
  await untilEnd(conn);
});

Deno.test("SIGHUP brings a changed list into use, and sessions stay where they are", {
  timeout,
}, async () => {
  await using before = echo();
  await using after = greeter("after");
  await using twixt = await Twixt.start({ config: config({ web: [before] }) });
  using conn = await connect(twixt.port("web"));
  await exchange(conn, 1);
  const descriptors = await twixt.descriptors();
  assert(await twixt.reload(config({ web: [after] })));
  let heard = 0; // in a row: workers learn of it one after another
  await until(async () => {
    heard = await hear(twixt.port("web")) === "after" ? heard + 1 : 0;
    return heard === 10;
  });
  await exchange(conn, 2);
  await twixt.descriptorsReturn(descriptors);
});

Deno.test("SIGHUP ends the sessions of a backend that leaves where on_remove is close", {
  timeout,
}, async () => {
  await using before = echo();
  await using after = echo();
  const servers = (backend: TcpBackend) => ({
    cut: staticServer([backend], { on_remove: "close" }),
    kept: staticServer([backend]),
  });
  await using twixt = await Twixt.start({ config: { workers: 2, servers: servers(before) } });
  const descriptors = await twixt.descriptors();
  {
    using cut = await connect(twixt.port("cut"));
    using kept = await connect(twixt.port("kept"));
    await exchange(cut, 1);
    await exchange(kept, 1);
    assert(await twixt.reload({ workers: 2, servers: servers(after) }));
    assert.equal((await untilEnd(cut)).bytes, 0);
    await exchange(kept, 2);
    assert.equal(before.count, 2);
  }
  await twixt.descriptorsReturn(descriptors);
});

Deno.test("SIGHUP with a file that can't be used changes nothing and says what is wrong", {
  timeout,
}, async () => {
  await using red = greeter("red");
  const good = config({ web: [red] });
  await using twixt = await Twixt.start({ config: good });
  const descriptors = await twixt.descriptors();
  assert.equal(await twixt.reload("{"), false);
  const wrong = JSON.stringify({ ...good, wrokers: 2 });
  assert.equal(await twixt.reload(wrong), false);
  await twixt.logged(({ level, msg }) => level === "error" && msg.includes('mean "workers"?'));
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr;
  assert.equal(await twixt.reload(config({ web: [], other: [red] }, { other: port })), false);
  await twixt.logged(({ msg }) => msg.includes(`server "other" can't listen on 127.0.0.1:${port}`));
  for (let i = 0; i < 4; i++) assert.equal(await ask(twixt.port("web")), "red");
  await twixt.descriptorsReturn(descriptors);
  assert(await twixt.reload(good));
});

Deno.test("SIGHUP opens an added server and closes a removed one, whose session goes on", {
  timeout,
}, async () => {
  await using backend = echo();
  await using red = greeter("red");
  const ports = { first: freePort(), second: freePort() };
  await using twixt = await Twixt.start({ config: config({ first: [backend] }, ports) });
  using conn = await connect(ports.first);
  await exchange(conn, 1);
  assert(await twixt.reload(config({ second: [red] }, ports)));
  assert.equal(await ask(ports.second), "red");
  await until(() => refuses(ports.first));
  await exchange(conn, 2);
  assert(await twixt.reload(config({ first: [red], second: [red] }, ports)));
  assert.equal(await ask(ports.first), "red");
  assert.equal(await ask(ports.second), "red");
  await exchange(conn, 3);
});

Deno.test("SIGHUP moves a server to another port without touching its sessions", {
  timeout,
}, async () => {
  await using backend = echo();
  const [old, next] = [freePort(), freePort()];
  await using twixt = await Twixt.start({ config: config({ web: [backend] }, { web: old }) });
  using conn = await connect(old);
  await exchange(conn, 1);
  const descriptors = await twixt.descriptors();
  assert(await twixt.reload(config({ web: [backend] }, { web: next })));
  using other = await connect(next);
  await exchange(other, 1);
  await exchange(conn, 2);
  await until(() => refuses(old));
  other.close();
  await twixt.descriptorsReturn(descriptors);
});

Deno.test("a second twixt exits 1 and names the bind that the first one has", {
  timeout,
}, async () => {
  await using red = greeter("red");
  const port = freePort();
  await using twixt = await Twixt.start({ config: config({ web: [red] }, { web: port }) });
  const { code, err } = await runTwixt(["-c", twixt.file]);
  assert.equal(code, 1);
  assert.match(err, new RegExp(`^error: server "web" can't listen on 127.0.0.1:${port}: address`));
  for (let i = 0; i < 10; i++) assert.equal(await ask(port), "red");
});
