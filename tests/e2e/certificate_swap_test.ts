/** New certificates under load, in a network of their own: what a swap costs depends on a sysctl. */
import assert from "node:assert/strict";
import { Authority } from "../support/certificates.ts";
import { pause } from "../support/clients.ts";
import { hasNetworks } from "../support/host.ts";
import { KernelDrops } from "../support/kernel_drops.ts";
import { startEchoes, startTlsClients } from "../support/load/load_process.ts";
import { Network } from "../support/network.ts";
import { needs } from "../support/real.ts";
import { staticServer } from "../support/static_server.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import { Twixt } from "../support/twixt.ts";

const SWAPS = 20;
const APART_MS = 500;
/** Full handshakes a second. */
const RATE = 150;
const PORT = 3000;
const options = { ignore: needs(["openssl"]).ignore || !hasNetworks, timeout: 90_000 };

Deno.test.each([
  { migrates: 1, most: 0 },
  { migrates: 0, most: 0.005 },
])(
  "20 swaps of certificates under load fail at most a share of $most of the handshakes, tcp_migrate_req $migrates",
  options,
  async ({ migrates, most }) => {
    await using stack = new AsyncDisposableStack();
    const { wrap } = stack.use(await Network.start({ "net.ipv4.tcp_migrate_req": migrates }));
    const { path } = stack.use(new TemporaryFolder());
    const authority = await Authority.make(path);
    const { cert, key } = await authority.issue("a", { names: ["localhost"] });
    const { ready: { ports } } = stack.use(await startEchoes(2, wrap));
    const web = staticServer(ports.map((port) => `127.0.0.1:${port}`), {
      ...{ bind: `127.0.0.1:${PORT}`, protocol: "tls" },
      tls: { cert_path: cert, key_path: key },
    });
    const twixt = stack.use(await Twixt.start({ config: { workers: 2, servers: { web } }, wrap }));
    const kernel = stack.use(await KernelDrops.start(PORT));
    const clients = stack.use(await startTlsClients(PORT, RATE, authority.ca, wrap));
    const renewed = ({ msg }: { msg: string }) => msg === "certificates renewed";
    for (let swap = 1; swap <= SWAPS; swap++) {
      await authority.issue("a", { names: ["localhost"] });
      twixt.signal("SIGHUP");
      await twixt.logged(() => twixt.lines.filter(renewed).length >= swap);
      await pause(APART_MS);
    }
    const report = await clients.stop();
    const drops = await kernel.count();
    const lost = report.clients - report.served;
    console.log(
      `tcp_migrate_req ${migrates}: ${twixt.lines.filter(renewed).length} swaps in ` +
        `${report.seconds.toFixed(1)} s, ${report.clients} handshakes, ${lost} failed ` +
        `(${(100 * lost / report.clients).toFixed(3)} %) ${JSON.stringify(report.failed)}, ` +
        `${drops} dropped by the kernel, the longest ${report.longestMs} ms`,
    );
    assert(report.clients > RATE * report.seconds * 0.9, "there was less load than wanted");
    const others = migrates === 1 ? lost - drops : lost;
    assert(others <= report.clients * most, `${others} of ${report.clients}`);
  },
);
