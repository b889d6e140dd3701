import assert from "node:assert/strict";
import net from "node:net";
import {
  ACTIVE,
  DENIED,
  DIAL_TIMEOUTS,
  DOWN,
  NO_BACKEND,
  OVER_CAPACITY,
  OVER_LIMIT,
  PROCESS_SLOT,
  REFUSED,
  RESETS,
  RETRIES,
  RX,
  TIMED_OUT,
  TOTAL,
  TX,
} from "../../../lib/stats/layout.ts";
import { echo, greeter, readAll, TcpBackend, until, writeAll } from "../../support/backends.ts";
import { freePort } from "../../support/clients.ts";
import { seeded } from "../../support/clock.ts";
import { member } from "../../support/members.ts";
import { allSent } from "../../support/unsent.ts";
import { BACKEND_SLOT, Plane, SERVER_SLOT } from "../../support/plane.ts";

/** Bytes that are the same in every run. */
function bytes(length: number): Uint8Array<ArrayBuffer> {
  const random = seeded(length);
  return Uint8Array.from({ length }, () => random() * 256);
}

/** Does nobody listen there any more? */
function refuses(plane: Plane): Promise<boolean> {
  return plane.connect().then((conn) => conn.close()).then(
    () => false,
    (error) => error instanceof Deno.errors.ConnectionRefused,
  );
}

async function text(conn: Deno.TcpConn): Promise<string> {
  using closing = conn;
  return new TextDecoder().decode(await readAll(closing));
}

Deno.test("tcp: a client's half-close reaches the backend, and its answer the client, byte for byte", async () => {
  await using backend = new TcpBackend(async (conn) => {
    const all = await readAll(conn); // to the client's FIN
    await writeAll(conn, all);
  });
  await using plane = new Plane([backend.port]);
  for (const length of [0, 1, 1023, 1024, 1025, 300_000, 3_000_000]) {
    using client = await plane.connect();
    const sent = bytes(length);
    await writeAll(client, sent);
    await client.closeWrite();
    assert.deepEqual(
      Buffer.from(await readAll(client)).equals(Buffer.from(sent)),
      true,
      `${length} bytes`,
    );
  }
  await plane.idle();
  assert.equal(plane.count(TX), plane.count(RX));
  assert.equal(plane.count(TX), 3_303_073);
  assert.equal(plane.count(RX, BACKEND_SLOT), 3_303_073);
  assert.equal(plane.count(TOTAL), 7);
});

Deno.test("tcp: a backend's half-close reaches the client, which may go on sending", async () => {
  const got: Uint8Array[] = [];
  await using backend = new TcpBackend(async (conn) => {
    await writeAll(conn, new TextEncoder().encode("bye"));
    await conn.closeWrite();
    got.push(await readAll(conn));
  });
  await using plane = new Plane([backend.port]);
  using client = await plane.connect();
  assert.equal(new TextDecoder().decode(await readAll(client)), "bye");
  await writeAll(client, bytes(100_000));
  await client.closeWrite();
  await plane.idle();
  assert.equal(got[0]!.length, 100_000);
});

Deno.test("tcp: a backend that sends 4 MB and closes doesn't cost the client a byte while it still sends", async () => {
  const sent = bytes(4_000_000);
  await using backend = new TcpBackend(async (conn) => {
    await conn.read(new Uint8Array(10));
    await writeAll(conn, sent);
    await allSent(conn); // else its own kernel would destroy what is left
  });
  await using plane = new Plane([backend.port]);
  using client = await plane.connect();
  let sending = true;
  const flood = (async () => {
    const chunk = new Uint8Array(65_536);
    while (sending) await client.write(chunk);
  })().catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 300)); // the backend has closed long before we read
  const got = await readAll(client);
  sending = false;
  assert.ok(Buffer.from(got).equals(Buffer.from(sent)), `${got.length} bytes`);
  client.close();
  await flood;
  await plane.idle();
});

Deno.test("tcp: a backend that refuses is followed by the next, and counted", async () => {
  await using good = greeter("good");
  await using plane = new Plane([freePort(), good.port]);
  for (let i = 0; i < 4; i++) assert.equal(await text(await plane.connect()), "good");
  await plane.idle();
  assert.equal(plane.count(REFUSED, BACKEND_SLOT), plane.count(RETRIES));
  assert.ok(plane.count(RETRIES) >= 2);
  assert.equal(plane.count(TOTAL, BACKEND_SLOT + 1), 4);
  assert.equal(plane.count(REFUSED), 0);
});

Deno.test("tcp: with all backends refusing, the client is closed after the allowed attempts", async () => {
  await using plane = new Plane([freePort(), freePort(), freePort(), freePort()], {
    dialAttempts: 3,
  });
  assert.equal(await text(await plane.connect()), "");
  await plane.idle();
  assert.equal(plane.count(NO_BACKEND), 1);
  assert.equal([0, 1, 2, 3].reduce((sum, i) => sum + plane.count(REFUSED, BACKEND_SLOT + i), 0), 3);
});

Deno.test("tcp: without a live backend, or without any, the client is closed at once", async () => {
  await using backend = greeter("hello");
  await using plane = new Plane([backend.port]);
  plane.counters.setFlag(BACKEND_SLOT, DOWN, true);
  assert.equal(await text(await plane.connect()), "");
  plane.setPool([]);
  assert.equal(await text(await plane.connect()), "");
  await plane.idle();
  assert.equal(plane.count(NO_BACKEND), 2);
  assert.equal(backend.count, 0);
});

Deno.test("tcp: a backend that resets before any byte has passed is replaced by another", async () => {
  await using good = greeter("good");
  // a listener that is closed with the connection still in its queue resets it
  const bad = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using plane = new Plane([bad.addr.port, good.port], {}, {}, "weight", [
    member(0, { address: "127.0.0.1", port: bad.addr.port, priority: 0 }),
    member(1, { address: "127.0.0.1", port: good.port }),
  ]);
  const client = await plane.connect();
  await until(() => plane.count(TOTAL, BACKEND_SLOT) === 1);
  bad.close();
  assert.equal(await text(client), "good");
  await plane.idle();
  assert.equal(plane.count(RESETS, BACKEND_SLOT), 1);
  assert.equal(plane.counters.active(BACKEND_SLOT), 0);
});

Deno.test("tcp: a client that resets ends its session on the backend's side too", async () => {
  await using backend = echo();
  await using plane = new Plane([backend.port]);
  const client = await plane.connect();
  await writeAll(client, bytes(5_000_000 / 50));
  client.close(); // unread answers: the kernel resets
  await plane.idle();
  await until(() => backend.open === 0);
});

Deno.test("tcp: bursts of clients on backends that reset end only their own sessions", async () => {
  const server = net.createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => {});
    socket.resetAndDestroy();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  await using good = echo();
  const members = [member(0, { address: "127.0.0.1", port })];
  await using plane = new Plane([port], {}, {}, "weight", members);
  for (let round = 0; round < 20; round++) {
    await Promise.all(Array.from({ length: 20 }, async () => {
      using client = await plane.connect();
      await client.write(bytes(1)).catch(() => 0); // it may have been closed already
      await readAll(client).catch(() => {});
    }));
  }
  await plane.idle();
  assert.deepEqual(
    plane.said.filter((line) => JSON.stringify(line).includes("session failed")),
    [],
  );
  plane.setPool([member(1, { address: "127.0.0.1", port: good.port })]);
  using client = await plane.connect();
  await client.write(bytes(1));
  assert.equal(await client.read(new Uint8Array(1)), 1);
  await new Promise((resolve) => server.close(resolve));
});

Deno.test("tcp: a slow reader holds the sender back instead of filling memory", async () => {
  let sent = 0;
  await using backend = new TcpBackend(async (conn) => {
    const chunk = new Uint8Array(65_536);
    for (let i = 0; i < 1600; i++) sent += await conn.write(chunk);
  });
  await using plane = new Plane([backend.port]);
  using client = await plane.connect();
  await until(() => sent > 0);
  let before = -1;
  while (before !== sent) {
    before = sent;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  assert.ok(sent < 60_000_000, `${sent} bytes were taken from the backend`);
  const got = await readAll(client);
  assert.equal(got.length, sent);
  client.close();
  await plane.idle();
});

Deno.test("tcp: a silent session ends at the idle timeout, a busy one doesn't", async () => {
  await using backend = echo();
  await using plane = new Plane([backend.port], { clientIdleMs: 300 });
  using silent = await plane.connect();
  using busy = await plane.connect();
  const buffer = new Uint8Array(10);
  let ended = false;
  const end = readAll(silent).then(() => ended = true);
  for (let i = 0; i < 10; i++) {
    await busy.write(buffer.subarray(0, 1));
    await busy.read(buffer);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.equal(ended, true);
  await end;
  assert.equal(plane.count(TIMED_OUT), 1);
  assert.equal(plane.sessions, 1);
});

Deno.test("tcp: once one side has ended, silence ends the session at the half-close timeout", async () => {
  await using backend = new TcpBackend(() => new Promise(() => {}));
  await using plane = new Plane([backend.port], { halfCloseMs: 300 });
  using client = await plane.connect();
  await client.closeWrite();
  assert.equal((await readAll(client)).length, 0);
  await plane.idle();
  assert.equal(plane.count(TIMED_OUT), 1);
});

Deno.test("tcp: access rules close a client before a backend hears of it", async () => {
  await using backend = greeter("hello");
  await using plane = new Plane([backend.port], {}, {
    access: { allowByDefault: true, rules: [{ allow: false, cidr: "127.0.0.0/8" }] },
  });
  assert.equal(await text(await plane.connect()), "");
  assert.equal(plane.count(DENIED), 1);
  assert.equal(backend.count, 0);
});

Deno.test("tcp: max_connections and the process's capacity close what is over, and count it", async () => {
  await using backend = echo();
  await using plane = new Plane([backend.port], {}, { maxConnections: 2 });
  using _one = await plane.connect();
  using _two = await plane.connect();
  await until(() => plane.sessions === 2);
  assert.equal(await text(await plane.connect()), "");
  assert.equal(plane.count(OVER_LIMIT), 1);
  plane.counters.capacity = 2;
  assert.equal(await text(await plane.connect()), "");
  assert.equal(plane.count(OVER_CAPACITY), 1);
  assert.equal(plane.counters.active(PROCESS_SLOT), 2);
  assert.equal(plane.count(REFUSED), 2);
});

Deno.test("tcp: a dial that gets no answer ends at its limit, all dials at their budget", async () => {
  // a queue of one that is full drops what comes: nobody answers
  const python = new Deno.Command("python3", {
    args: [
      "-c",
      "import socket,sys\n" +
      "s=socket.socket();s.bind(('127.0.0.1',0));s.listen(0)\n" +
      "c=[socket.socket() for _ in range(4)]\n" +
      "[(x.setblocking(False),x.connect_ex(s.getsockname())) for x in c]\n" +
      "print(s.getsockname()[1],flush=True);sys.stdin.read()",
    ],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = python.stdout.getReader();
  const port = Number(new TextDecoder().decode((await reader.read()).value));
  await using plane = new Plane([port, port, port], { dialMs: 300, dialBudgetMs: 500 });
  const before = performance.now();
  assert.equal(await text(await plane.connect()), "");
  const elapsed = performance.now() - before;
  assert.ok(elapsed >= 450 && elapsed < 1_000, `${elapsed} ms`);
  await plane.idle();
  assert.equal(
    plane.count(DIAL_TIMEOUTS, BACKEND_SLOT) + plane.count(DIAL_TIMEOUTS, BACKEND_SLOT + 1),
    2,
  );
  await python.stdin.close();
  await reader.cancel();
  await python.status;
});

Deno.test("tcp: a new pool takes new clients, old sessions stay where they are", async () => {
  await using old = echo();
  await using young = greeter("young");
  await using plane = new Plane([old.port]);
  using client = await plane.connect();
  await client.write(bytes(1));
  await client.read(new Uint8Array(1));
  plane.setPool([member(5, { address: "127.0.0.1", port: young.port })]);
  assert.equal(await text(await plane.connect()), "young");
  await client.write(bytes(1));
  assert.equal(await client.read(new Uint8Array(1)), 1);
  plane.plane.handle({ kind: "cut", slots: [BACKEND_SLOT], all: false });
  assert.equal(plane.sessions, 1, "on_remove is finish");
  plane.serve();
});

Deno.test('tcp: with on_remove = "close" the sessions of a backend that left are cut', async () => {
  await using backend = echo();
  await using plane = new Plane([backend.port], {}, { onRemove: "close" });
  using client = await plane.connect();
  await until(() => plane.sessions === 1 && plane.count(TOTAL, BACKEND_SLOT) === 1);
  plane.plane.handle({ kind: "cut", slots: [BACKEND_SLOT], all: false });
  assert.equal((await readAll(client)).length, 0);
  await plane.idle();
});

Deno.test("tcp: a stopped server refuses, its sessions go on; drain answers when the last has ended", async () => {
  await using backend = echo();
  await using plane = new Plane([backend.port]);
  const client = await plane.connect();
  await until(() => plane.count(TOTAL, BACKEND_SLOT) === 1);
  plane.plane.handle({ kind: "drain" });
  await until(() => refuses(plane));
  await client.write(bytes(1));
  assert.equal(await client.read(new Uint8Array(1)), 1);
  assert.ok(!plane.said.some(({ kind }) => kind === "drained"));
  client.close();
  await until(() => plane.said.some(({ kind }) => kind === "drained"));
  assert.equal(plane.count(ACTIVE, SERVER_SLOT), 0);
});

Deno.test("tcp: drain waits for a client whom the runtime has accepted in the moment of the close", async () => {
  await using backend = greeter("a");
  const accepted = Promise.withResolvers<void>();
  const heardOf = Promise.withResolvers<void>();
  const { listen } = Deno;
  Deno.listen = ((options: Deno.TcpListenOptions) => {
    const listener = listen(options);
    const accept = listener.accept.bind(listener);
    listener.accept = async () => {
      const client = await accept();
      accepted.resolve();
      await heardOf.promise;
      return client;
    };
    return listener;
  }) as typeof listen;
  await using plane = new Plane([backend.port]);
  Deno.listen = listen;
  const drained = () => plane.said.some(({ kind }) => kind === "drained");
  const client = await plane.connect();
  await accepted.promise;
  plane.plane.handle({ kind: "drain" });
  await until(() => refuses(plane));
  assert.equal(plane.count(TOTAL), 0);
  assert(!drained());
  heardOf.resolve();
  assert.equal(await text(client), "a");
  await until(drained);
  assert.deepEqual([plane.count(TOTAL), plane.sessions], [1, 0]);
});

Deno.test("tcp: an address that is taken is answered with why", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using plane = new Plane([1], {}, { port: taken.addr.port });
  assert.deepEqual(plane.said.filter(({ kind }) => kind === "failed"), [
    { kind: "failed", server: "web", why: "address in use" },
  ]);
});
