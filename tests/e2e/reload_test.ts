import assert from "node:assert/strict";
import { freePort, pause } from "../support/clients.ts";
import { hasDescriptors } from "../support/host.ts";
import { startEchoes, startLongClients, startShortClients } from "../support/load/load_process.ts";
import { staticServer } from "../support/static_server.ts";
import { Twixt } from "../support/twixt.ts";

const RELOADS = 100;
const SECONDS = 60;
const LONG_CLIENTS = 1_000;
/** Clients that come in a second: more than must be served, since some seconds are worse than others. */
const RATE = 1_200;

Deno.test("100 SIGHUP reloads in 60 s under load that change pools refuse and reset nobody", {
  ignore: !hasDescriptors(8_192),
  timeout: 150_000,
}, async () => {
  await using stack = new AsyncDisposableStack();
  const echoes = stack.use(await startEchoes(5));
  const backends = echoes.ready.ports.map((port) => `127.0.0.1:${port}`);
  const ports = { web: freePort(), extra: freePort() };
  await using twixt = await Twixt.start({ config: configOf(0, backends, ports) });
  const before = await twixt.descriptors();

  const longClients = stack.use(await startLongClients(ports.web, LONG_CLIENTS));
  const shortClients = stack.use(await startShortClients(ports.web, RATE));
  const startedAt = performance.now();
  for (let reload = 1; reload <= RELOADS; reload++) {
    await pause(Math.max(0, startedAt + reload * SECONDS * 1000 / RELOADS - performance.now()));
    assert(await twixt.reload(configOf(reload, backends, ports)), `reload ${reload}`);
  }
  const seconds = (performance.now() - startedAt) / 1000;
  const short = await shortClients.stop();
  const long = await longClients.stop();
  const { refused, reset, cut, wrong, late } = short;
  const failed = { refused, reset, cut, wrong, late };
  console.log(
    `${RELOADS} reloads in ${
      Math.round(seconds)
    } s: ${short.served} of ${short.clients} clients served ` +
      `(${
        Math.round(short.clients / short.seconds)
      } a second, ${short.worstSecond} in the worst), ` +
      `${JSON.stringify(failed)}; ms ${
        JSON.stringify(short.ms)
      }; ${long.exact} of ${long.sessions} ` +
      `long sessions byte-exact, ${(long.bytes / (1 << 20)).toFixed(1)} MiB`,
  );
  assert.deepEqual(failed, { refused: 0, reset: 0, cut: 0, wrong: 0, late: 0 });
  assert.deepEqual(short.others, []);
  assert(short.clients >= 1_000 * short.seconds, "there was less load than wanted");
  assert.deepEqual([long.broken, long.notOpened, long.exact], [{}, {}, long.sessions]);
  assert(long.sessions >= LONG_CLIENTS);
  assert(seconds < SECONDS * 1.2, "the reloads took too long");
  const { counts } = await echoes.stop();
  assert(counts.every((count) => count > 1_000), "some backend was hardly used");
  assert.deepEqual(twixt.lines.filter(({ level }) => !["info", "warning"].includes(level)), []);
  await twixt.descriptorsReturn(before);
});

/** Another list, strategy and limits each time, and now and then another server beside. */
function configOf(
  reload: number,
  backends: readonly string[],
  ports: { readonly web: number; readonly extra: number },
): Record<string, unknown> {
  const first = reload % backends.length;
  const list = Array.from(
    { length: 1 + reload % 4 },
    (_, i) => `${backends[(first + i) % backends.length]} weight=${1 + (reload + i) % 3}`,
  );
  const web = staticServer(list, {
    bind: `127.0.0.1:${ports.web}`,
    balance: ["weight", "roundrobin", "leastconn"][reload % 3],
    max_connections: [0, 5_000, 8_000][reload % 3],
    client_idle_timeout: ["0", "1m", "30s"][reload % 3],
    ...reload % 2 === 0 ? {} : {
      healthcheck: { kind: "ping", interval: "1s", timeout: "500ms" },
    },
  });
  const extra = staticServer(list, { bind: `127.0.0.1:${ports.extra}` });
  return { workers: 2, servers: reload % 4 < 2 ? { web } : { web, extra } };
}
