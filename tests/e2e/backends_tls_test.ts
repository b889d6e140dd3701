/** Backends that stall in TLS handshakes, and what is left of them. */
import assert from "node:assert/strict";
import { readAll, TcpBackend, until, writeAll } from "../support/backends.ts";
import { certificate } from "../support/certificates.ts";
import { connect, times } from "../support/clients.ts";
import { hasProc, testByDenoRun } from "../support/host.ts";
import { needs } from "../support/real.ts";
import { staticServer } from "../support/static_server.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import { TlsBackend } from "../support/tls_backend.ts";
import { Twixt } from "../support/twixt.ts";

const CLIENTS = 300;
const { ignore } = needs(["openssl"]);

testByDenoRun(
  "TLS with backends that stall in handshakes ends at the deadline, leaves nothing, and others are tried",
  {
    ignore: ignore || !hasProc,
    timeout: 60_000,
  },
  async () => {
    await using folder = new TemporaryFolder();
    const paths = await certificate(folder.path);
    const [cert, key] = await Promise.all([
      Deno.readTextFile(paths.cert),
      Deno.readTextFile(paths.key),
    ]);
    await using good = new TlsBackend({ cert, key }, async (conn) => {
      await readAll(conn);
      await writeAll(conn, new TextEncoder().encode("good"));
    });
    let halfway = 0;
    /** Takes the hello, says something that looks like a record, and no more. */
    await using stalling = new TcpBackend(async (conn) => {
      const buffer = new Uint8Array(4096);
      if (await conn.read(buffer) === null) return;
      if (halfway++ % 2 === 0) await writeAll(conn, Uint8Array.of(22, 3, 3, 64, 0, 2));
      await readAll(conn).catch(() => {});
    });
    const backends = [`127.0.0.1:${good.port}`, stalling.address];
    await using twixt = await Twixt.start({
      config: {
        workers: 2,
        api: { enabled: true, bind: "127.0.0.1:0" },
        servers: {
          web: staticServer(backends, {
            backends_tls: { ignore_verify: true },
            backend_connection_timeout: "1s",
          }),
        },
      },
    });
    const before = await twixt.descriptors();
    const port = twixt.port("web");
    const say = async () => {
      using client = await connect(port);
      await writeAll(client, new TextEncoder().encode("hello"));
      await client.closeWrite();
      return new TextDecoder().decode(await readAll(client));
    };
    let served = 0;
    await times(CLIENTS, 100, async () => {
      if (await say() === "good") served++;
    });
    assert.equal(served, CLIENTS);
    const idle = async () => (await twixt.stats("web")).active_connections === 0;
    await until(idle, 10_000, "all sessions have ended");
    await twixt.descriptorsReturn(before);
    const { stats } = (await (await twixt.api("/pools/web")).json()).backends
      .find((each: { port: string | number }) => String(each.port) === String(stalling.port));
    console.log(
      `${CLIENTS} clients served; ${halfway} handshakes that stalled: ${JSON.stringify(stats)}`,
    );
    assert.equal(stats.refused_connections, halfway);
    assert(halfway >= CLIENTS / 3, String(halfway));
  },
);
