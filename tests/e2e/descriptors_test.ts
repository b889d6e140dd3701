import assert from "node:assert/strict";
import { echo, until, writeAll } from "../support/backends.ts";
import { connect, times } from "../support/clients.ts";
import { hasProc, works } from "../support/host.ts";
import { staticServer } from "../support/static_server.ts";
import { Twixt } from "../support/twixt.ts";

const LIMIT = 256;
const CLIENTS = 1_000;
const enoughDescriptors = works('h=$(ulimit -Hn); [ "$h" = unlimited ] || [ "$h" -ge 3000 ]');

Deno.test("1,000 clients at a limit of 256 descriptors end nothing, and are served later", {
  ignore: !hasProc || !enoughDescriptors,
  timeout: 60_000,
}, async () => {
  await using backend = echo();
  await using twixt = await Twixt.start({
    config: {
      workers: 2,
      api: { enabled: true, bind: "127.0.0.1:0" },
      servers: { web: staticServer([backend]) },
    },
    wrap: `ulimit -n ${LIMIT} && exec {}`,
  });
  const { sessions_allowed: allowed } = await twixt.logged(({ msg }) => msg.startsWith("twixt "));
  assert(typeof allowed === "number" && allowed > 40 && allowed < LIMIT / 2, String(allowed));
  const before = await twixt.descriptors();
  const port = twixt.port("web");

  for (let round = 1; round <= 3; round++) {
    const open: Deno.Conn[] = [];
    const served: Deno.Conn[] = [];
    try {
      await times(CLIENTS, 100, async () => {
        const conn = await connect(port);
        open.push(conn);
        if (await said(conn)) served.push(conn);
      });
      console.log(
        `round ${round}: ${served.length} of ${CLIENTS} clients served, ${allowed} allowed, ` +
          `${await twixt.descriptors()} descriptors open of ${LIMIT}`,
      );
      assert.equal(served.length, allowed);
      assert.equal((await twixt.stats("web")).active_connections, allowed);
      assert.equal(await (await twixt.api("/ping")).text(), "OK");
      for (const conn of served) assert(await said(conn), "a session was hurt");
    } finally {
      for (const conn of open) conn.close();
    }
    const idle = async () => (await twixt.stats("web")).active_connections === 0;
    await until(idle, 10_000, "all sessions have ended");
    await twixt.descriptorsReturn(before);
  }

  let later = 0;
  await times(200, 20, async () => {
    using conn = await connect(port);
    if (await said(conn)) later++;
  });
  assert.equal(later, 200);
  assert.equal(await (await twixt.api("/ping")).text(), "OK");
  assert.deepEqual(twixt.err, []);
  await twixt.descriptorsReturn(before);
});

Deno.test("a worker that dies at the limit of descriptors is replaced, and the process goes on", {
  ignore: !hasProc || !enoughDescriptors,
  timeout: 60_000,
}, async () => {
  await using backend = echo();
  await using twixt = await Twixt.start({
    config: { workers: 2, servers: { web: staticServer([backend]) } },
    env: { TWIXT_TEST_FAULT: "die" },
    wrap: `ulimit -n ${LIMIT} && exec {}`,
  });
  const before = await twixt.descriptors();
  const port = twixt.port("web");
  for (let death = 1; death <= 2; death++) {
    const open: Deno.Conn[] = [];
    try {
      await times(300, 100, async () => {
        const conn = await connect(port);
        open.push(conn);
        await said(conn);
      });
      twixt.signal("SIGQUIT");
      const died = () => twixt.lines.filter(({ msg }) => msg.startsWith("a worker died")).length;
      await until(() => died() === death, 5_000, `death ${death} in the log`);
    } finally {
      for (const conn of open) conn.close();
    }
    await twixt.descriptorsReturn(before);
    let served = 0;
    await until(async () => {
      using conn = await connect(port);
      return await said(conn) && ++served === 20;
    });
  }
});

Deno.test(
  "callers of the API who stay silent take no descriptor from clients, nor the API from others",
  {
    ignore: !hasProc || !enoughDescriptors,
    timeout: 60_000,
  },
  async () => {
    await using backend = echo();
    await using twixt = await Twixt.start({
      config: {
        workers: 2,
        api: { enabled: true, bind: "127.0.0.1:0" },
        servers: { web: staticServer([backend]) },
      },
      wrap: `ulimit -n ${LIMIT} && exec {}`,
    });
    const before = await twixt.descriptors();
    const port = twixt.port("web");
    const { address } = await twixt.logged(({ msg }) => msg === "API listening");
    const apiPort = Number(String(address).split(":").at(-1));
    const idle: Deno.Conn[] = [];
    let served = 0;
    try {
      for (let i = 0; i < 400; i++) idle.push(await connect(apiPort));
      await times(200, 20, async () => {
        using conn = await connect(port);
        if (await said(conn)) served++;
      });
      console.log(
        `${idle.length} silent callers of the API: ${served} of 200 clients served, ` +
          `${await twixt.descriptors()} descriptors open of ${LIMIT}`,
      );
      assert.equal(served, 200);
      const ping = async () => await (await twixt.api("/ping")).text() === "OK";
      await until(() => ping().catch(() => false), 10_000, "the API answers in spite of them");
    } finally {
      for (const conn of idle) conn.close();
    }
    assert.deepEqual(twixt.err, []);
    await twixt.descriptorsReturn(before);
  },
);

/** Sends a byte. True: it came back; false: the connection was closed. */
async function said(conn: Deno.Conn): Promise<boolean> {
  try {
    await writeAll(conn, Uint8Array.of(7));
    return await conn.read(new Uint8Array(8)) === 1;
  } catch {
    return false; // refused clients may be reset: what they sent was never read
  }
}
