/** Takeovers under load. Each test has a network of its own, for the sysctl on which it depends what they cost. */
import assert from "node:assert/strict";
import { pause } from "../support/clients.ts";
import { hasDescriptors, hasMounts, hasNetworks, hasProc } from "../support/host.ts";
import { KernelDrops } from "../support/kernel_drops.ts";
import { startEchoes, startLongClients, startShortClients } from "../support/load/load_process.ts";
import type { LongReport } from "../support/load/long_clients.ts";
import type { ShortReport } from "../support/load/short_clients.ts";
import { Network } from "../support/network.ts";
import { staticServer } from "../support/static_server.ts";
import { runTwixt, Twixt } from "../support/twixt.ts";

const TAKEOVERS = 10;
/** From one to the next, when they are quick. */
const APART_MS = 2_500;
const LONG_CLIENTS = 1_000;
/** Clients that come in a second: more than must be served, since some seconds are worse than others. */
const RATE = 1_200;
const PORT = 3000;
const WARNING = "sysctl -w net.ipv4.tcp_migrate_req=1";

/** An API that can't be on this host. */
const ELSEWHERE = { enabled: true, bind: "192.0.2.1:8888" };
/** Takeovers that fail, of each kind. */
const FAILURES = 4;

const ignore = !hasNetworks || !hasProc || !hasDescriptors(8_192);
const timeout = 100_000;

Deno.test("10 takeovers under load refuse and reset nobody where tcp_migrate_req is 1", {
  ignore,
  timeout,
}, async () => {
  const { short, long, drops, processes } = await takeovers(1);
  assertNobodyLost(short, long, drops);
  for (const { lines } of processes) {
    assert.deepEqual(lines.filter(({ level }) => level !== "info"), []);
  }
});

Deno.test(
  "10 takeovers under load lose at most 0.5 % of new connections where tcp_migrate_req is 0",
  {
    ignore,
    timeout,
  },
  async () => {
    const { short, processes } = await takeovers(0);
    assert.equal(short.wrong, 0);
    const lost = short.clients - short.served;
    assert(lost <= short.clients * 0.005, `${lost} of ${short.clients}`);
    const [, ...successors] = processes;
    for (const { lines } of successors) {
      assert(
        lines.some((line) => line.level === "warning" && mentions(line, WARNING)),
        "no warning",
      );
    }
  },
);

Deno.test("takeovers that fail under load refuse and reset nobody where tcp_migrate_req is 1", {
  ignore: ignore || !hasMounts,
  timeout,
}, async () => {
  await using stack = new AsyncDisposableStack();
  const { wrap } = stack.use(await Network.start({ "net.ipv4.tcp_migrate_req": 1 }));
  const { ready: { ports } } = stack.use(await startEchoes(2, wrap));
  const web = staticServer(ports.map((port) => `127.0.0.1:${port}`), {
    bind: `127.0.0.1:${PORT}`,
  });
  const config = { workers: 2, servers: { web } };
  const twixt = stack.use(await Twixt.start({ config, wrap }));
  const { folder } = twixt;
  const readOnly = `unshare -m sh -c 'mount --bind ${folder} ${folder} && ` +
    `mount -o remount,bind,ro ${folder} && exec "$@"' - {}`;
  const taken = staticServer([], { bind: `127.0.0.1:${ports[0]}` });
  const failing = [
    { config: { ...config, servers: { web, taken } }, wrap, says: "address in use" },
    { config: { ...config, api: ELSEWHERE }, wrap, says: "not an address of this host" },
    { config, wrap: wrap.replace("{}", readOnly), says: "pid file" },
  ];
  const kernel = stack.use(await KernelDrops.start(PORT));
  const longClients = stack.use(await startLongClients(PORT, LONG_CLIENTS, wrap));
  const shortClients = stack.use(await startShortClients(PORT, RATE, wrap));
  for (let round = 0; round < FAILURES; round++) {
    for (const { config, wrap, says } of failing) {
      await twixt.configure(config);
      const { code, err } = await runTwixt(["-c", twixt.file, "--takeover", twixt.pidFile], {
        wrap,
      });
      assert.equal(code, 1, err);
      assert(err.includes(says), err);
    }
  }
  const short = await shortClients.stop();
  const long = await longClients.stop();
  const drops = await kernel.count();
  console.log(
    `${FAILURES * failing.length} takeovers that failed:\n${figures(short, long, drops)}`,
  );
  assertNobodyLost(short, long, drops);
  assert.deepEqual([long.broken, long.exact], [{}, long.sessions]);
  assert.equal(await twixt.pidInFile(), twixt.pid);
  assert.deepEqual([twixt.err, twixt.lines.filter(({ level }) => level !== "info")], [[], []]);
});

/** What came of ten takeovers. */
type Result = {
  readonly short: ShortReport;
  readonly long: LongReport;
  /** Clients that the kernel has reset by itself. */
  readonly drops: number;
  readonly processes: readonly Twixt[];
};

/** Ten processes take over from each other. Whatever the sysctl says, open connections are theirs until they end. */
async function takeovers(migrates: 0 | 1): Promise<Result> {
  await using stack = new AsyncDisposableStack();
  const { wrap } = stack.use(await Network.start({ "net.ipv4.tcp_migrate_req": migrates }));
  const { ready: { ports } } = stack.use(await startEchoes(2, wrap));
  const backends = ports.map((port) => `127.0.0.1:${port}`);
  const web = staticServer(backends, { bind: `127.0.0.1:${PORT}` });
  const first = stack.use(await Twixt.start({ config: { workers: 2, servers: { web } }, wrap }));
  const kernel = stack.use(await KernelDrops.start(PORT));
  const longClients = stack.use(await startLongClients(PORT, LONG_CLIENTS, wrap));
  const shortClients = stack.use(await startShortClients(PORT, RATE, wrap));

  const processes = [first];
  const startedAt = performance.now();
  const tookMs: number[] = [];
  for (let n = 1; n <= TAKEOVERS; n++) {
    await pause(Math.max(0, startedAt + n * APART_MS - performance.now()));
    const since = performance.now();
    processes.push(stack.use(await processes.at(-1)!.takeover()));
    tookMs.push(Math.round(performance.now() - since));
  }
  await pause(APART_MS); // the last one has its time as well
  const short = await shortClients.stop();
  const long = await longClients.stop();
  const drops = await kernel.count();
  tell(migrates, short, long, drops, tookMs);

  await assertHandedOver(processes);
  assert.deepEqual(short.others, [], "the generator had difficulties of its own");
  assert(short.clients >= 1_000 * short.seconds, "there was less load than wanted");
  assert(long.sessions >= LONG_CLIENTS);
  assert.deepEqual([long.broken, long.exact], [{}, long.sessions]);
  return { short, long, drops, processes };
}

/** Everybody was served but those whom the kernel has reset before anybody could accept them, each of whom it tells of. */
function assertNobodyLost(short: ShortReport, long: LongReport, drops: number): void {
  const { reset = 0, ...notOpened } = long.notOpened;
  const lost = failures(short);
  assert.deepEqual(
    [{ ...lost, reset: lost.reset + reset }, notOpened],
    [{ refused: 0, reset: drops, cut: 0, wrong: 0, late: 0 }, {}],
  );
}

/** Each has taken over from the one before, and all but the last have ended by themselves. */
async function assertHandedOver(processes: readonly Twixt[]): Promise<void> {
  for (const [n, twixt] of processes.entries()) {
    const old = processes[n - 1];
    if (old !== undefined) {
      const { pid } = await twixt.logged(({ msg }) => msg === "taken over");
      assert.equal(pid, old.pid);
      await old.logged(({ msg }) => msg.startsWith("taken over by another process"));
      assert.equal(await old.ended(), 0);
    }
    assert.deepEqual(twixt.err, []);
    assert.deepEqual(twixt.lines.filter(({ level }) => !["info", "warning"].includes(level)), []);
  }
  assert.equal(await processes[0]!.pidInFile(), processes.at(-1)!.pid);
}

function tell(
  migrates: number,
  short: ShortReport,
  long: LongReport,
  drops: number,
  tookMs: readonly number[],
): void {
  console.log(
    `tcp_migrate_req ${migrates}: ${tookMs.length} takeovers in ${Math.round(short.seconds)} s, ` +
      `each ${Math.min(...tookMs)} to ${Math.max(...tookMs)} ms from start to end\n` +
      figures(short, long, drops),
  );
}

function figures(short: ShortReport, long: LongReport, drops: number): string {
  const lost = short.clients - short.served;
  const share = (100 * lost / short.clients).toFixed(3);
  return `  ${short.clients} clients, ${Math.round(short.clients / short.seconds)} a second ` +
    `(${short.worstSecond} served in the worst): ${lost} lost (${share} %), ` +
    `${JSON.stringify(failures(short))}, ${drops} dropped by the kernel; ` +
    `ms ${JSON.stringify(short.ms)}\n` +
    `  ${long.sessions} long connections, ${LONG_CLIENTS} at a time: ${long.exact} byte-exact, ` +
    `broken ${JSON.stringify(long.broken)}, not opened ${JSON.stringify(long.notOpened)}; ` +
    `${(long.bytes / (1 << 20)).toFixed(1)} MiB came back, after ${long.longestMs} ms at most`;
}

function failures({ refused, reset, cut, wrong, late }: ShortReport) {
  return { refused, reset, cut, wrong, late };
}

function mentions(line: Record<string, unknown>, text: string): boolean {
  return Object.values(line).some((value) => typeof value === "string" && value.includes(text));
}
