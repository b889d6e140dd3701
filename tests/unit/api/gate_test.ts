import assert from "node:assert/strict";
import { gatedServe } from "../../../api/gate.ts";
import { until } from "../../support/backends.ts";

/** A server behind a gate for `most` connections that answers with the caller's port. */
function setUp(most: number) {
  const server = gatedServe(most)(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (_request, { remoteAddr }) => new Response(`${remoteAddr.hostname}:${remoteAddr.port}`),
  );
  const { port } = server.addr;
  return {
    connect: () => Deno.connect({ hostname: "127.0.0.1", port }),
    async [Symbol.asyncDispose]() {
      await server.shutdown();
      await server.finished;
    },
  };
}

/** Asks on a connection of its own; the answer's body. */
async function ask(conn: Deno.TcpConn): Promise<string> {
  await conn.write(
    new TextEncoder().encode("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
  );
  const text = await new Response(conn.readable).text();
  return text.split("\r\n\r\n")[1] ?? "";
}

Deno.test("a gate's server knows the caller's own address", async () => {
  await using gate = setUp(4);
  const conn = await gate.connect();
  const { hostname, port } = conn.localAddr;
  assert.equal(await ask(conn), `${hostname}:${port}`);
});

Deno.test("a full gate closes who comes next, and makes room at the expense of who is silent", async () => {
  await using gate = setUp(3);
  const silent = await Promise.all([1, 2, 3].map(() => gate.connect()));
  const ended = silent.map((conn) => conn.read(new Uint8Array(1)).catch(() => null));
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(await ask(await gate.connect()).catch(() => ""), "", "there is no room yet");
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  assert.notEqual(await ask(await gate.connect()), "");
  assert.deepEqual(await Promise.all(ended), [null, null, null]);
  for (const conn of silent) conn.close();
});

Deno.test("a gate leaves no connection behind, whichever way callers go", async () => {
  await using gate = setUp(2);
  for (let round = 0; round < 20; round++) {
    const conn = await gate.connect();
    if (round % 2 === 0) await conn.write(new TextEncoder().encode("GET / HT"));
    conn.close();
  }
  await until(async () => await ask(await gate.connect()).catch(() => "") !== "");
});

Deno.test("a burst doesn't pass the gate's limit", async () => {
  await using gate = setUp(3);
  const conns = await Promise.all(Array.from({ length: 50 }, () => gate.connect()));
  const ended = conns.map((conn) => conn.read(new Uint8Array(1)).then(() => true, () => true));
  const open = async () => {
    const states = ended.map((end) => Promise.race([end, Promise.resolve(false)]));
    return (await Promise.all(states)).filter((state) => !state).length;
  };
  await until(async () => await open() === 3);
  for (const conn of conns) conn.close();
  await Promise.all(ended);
});
