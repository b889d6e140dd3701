/** Health checks of the program as a process: what they leave behind, what comes of what backends say. */
import assert from "node:assert/strict";
import { ask, greeter, TcpBackend, until, writeAll } from "../support/backends.ts";
import { pause } from "../support/clients.ts";
import { byDenoRun, hasProc } from "../support/host.ts";
import { shell } from "../support/process.ts";
import { staticServer } from "../support/static_server.ts";
import { Twixt } from "../support/twixt.ts";

const timeout = 120_000;
const BACKENDS = 100;
const CHECKS = 10_000;

function start(server: Record<string, unknown>): Promise<Twixt> {
  const api = { enabled: true, bind: "127.0.0.1:0" };
  return Twixt.start({ config: { workers: 2, api, servers: { web: server } } });
}

if (byDenoRun) {
  Deno.test.each([
    {
      kind: "tls",
      keys: { kind: "probe", probe_protocol: "tls", probe_send: "x", probe_recv: "y" },
    },
    { kind: "https", keys: { kind: "https" } },
  ])(
    `${CHECKS} checks by $kind of ports that accept and never answer leave no descriptor`,
    { ignore: !hasProc, timeout },
    async ({ kind, keys }) => {
      const hung = Array.from({ length: BACKENDS }, () =>
        new TcpBackend(async (conn) => {
          while (await conn.read(new Uint8Array(4_096)) !== null);
        }));
      const checked = () => hung.reduce((sum, { count }) => sum + count, 0);
      const closed = async () => {
        for (const backend of hung) await backend[Symbol.asyncDispose]();
      };
      try {
        const live = greeter("live");
        const discovery = { kind: "static", static_list: hung.map(({ address }) => address) };
        const healthcheck = { ...keys, interval: "100ms", timeout: "100ms" };
        const reload = (more: Record<string, unknown>) => ({
          api: { enabled: true, bind: "127.0.0.1:0" },
          workers: 2,
          servers: { web: staticServer([live], more) },
        });
        await using _live = live;
        await using twixt = await Twixt.start({ config: reload({}) });
        await (await twixt.api("/servers")).body?.cancel(); // what is opened once, at the first call, is open
        const counts: number[] = [];
        for (let i = 0; i < 3; i++) counts.push(await twixt.descriptors());
        const before = Math.min(...counts);
        const memory = await twixt.resident();

        await twixt.reload(reload({ discovery, healthcheck }));
        await until(() => checked() >= CHECKS / 10, timeout, "a tenth of the checks");
        const during = await twixt.descriptors();
        await until(() => checked() >= CHECKS, timeout, `${CHECKS} checks`);
        const { backends } = await twixt.stats("web");
        assert.equal(backends.length, BACKENDS);
        for (const { stats } of backends) {
          assert.deepEqual([stats.live, stats.last_check], [false, "timed out"]);
        }
        await twixt.reload(reload({}));
        await twixt.descriptorsReturn(before);
        await until(() => hung.every(({ open }) => open === 0), 10_000, "the end of connections");
        const grown = (await twixt.resident() - memory) / 1024 / 1024;
        console.log(
          `${checked()} checks by ${kind} of ${BACKENDS} hung ports: ${before} descriptors before, ` +
            `${during} during, ${await twixt.descriptors()} after; memory + ${
              Math.round(grown)
            } MiB`,
        );
        assert.ok(grown < 500, `memory has grown by ${grown} MiB`); // garbage, not half a MiB a check
        assert.deepEqual(twixt.err, []);
      } finally {
        await closed();
      }
    },
  );
}

/** Programs that behave badly, with the argument `$0` that marks all processes of one test. */
const PROGRAMS = [
  { how: "hangs", script: "sleep 600", why: /killed: it took too long/ },
  {
    how: "forks, and ends",
    script: "(sleep 601 & sleep 602 &) ; exit 3",
    why: /exit code 3/,
  },
  {
    how: "forks, and hangs while its children hold its output",
    script: "sleep 603 & sleep 604 & wait",
    why: /killed: it took too long/,
  },
  {
    how: "ignores signals",
    script: "trap '' TERM INT HUP; while :; do sleep 605; done",
    why: /killed/,
  },
  {
    how: "prints 1 GiB",
    script: "head -c 1073741824 /dev/zero; sleep 606",
    why: /it said more than 1048576 bytes/,
  },
  { how: "ends by a signal", script: "sleep 607 & kill -SEGV $$", why: /ended: SIGSEGV/ },
];

Deno.test.each(PROGRAMS)(
  "a health program that $how fails, and leaves no process behind",
  { ignore: !hasProc, timeout },
  async ({ script, why }) => {
    await using backend = greeter("x");
    const mark = `twixt-check-${crypto.randomUUID()}`;
    const twixt = await start(staticServer([backend], {
      healthcheck: {
        kind: "exec",
        exec_command: ["sh", "-c", script, mark],
        interval: "300ms",
        timeout: "300ms",
      },
    }));
    await using _twixt = twixt;
    const line = await twixt.logged(({ msg }) => msg === "backend is down");
    assert.match(String(line["why"]), why);
    const pids = await shell(`ps -eo pid= -o ppid= | awk '$2 == ${twixt.pid} { print $1 }'`);
    assert.ok(pids.trim().split("\n").length <= 2, "one program at a time");
    const before = await twixt.descriptors();
    await pause(2_000);
    // a program that is just being started has some more
    await until(async () => await twixt.descriptors() <= before + 4, 5_000, "few descriptors");
    twixt.signal("SIGTERM");
    assert.equal(await twixt.ended(), 0);
    // by their process groups, whose leaders bear the mark, and by their sleeping times, whoever is their parent
    const left = async () =>
      (await shell(`ps -eo args= | grep -E "${mark}|^sleep 60[0-7]$" | grep -v grep || true`))
        .trim();
    await until(async () => await left() === "", 5_000, "the end of its processes");
  },
);

Deno.test(
  "expected outputs: positive is live, negative is down, anything else leaves it as it is",
  { timeout },
  async () => {
    await using backend = greeter("x");
    const said = await Deno.makeTempFile();
    const say = (text: string) => Deno.writeTextFile(said, text);
    await say("1\n");
    await using twixt = await start(staticServer([backend], {
      healthcheck: {
        kind: "exec",
        exec_command: ["cat", said],
        exec_expected_positive_output: "1",
        exec_expected_negative_output: "0",
        interval: "100ms",
        timeout: "2s",
      },
    }));
    const stats = async () => (await twixt.stats("web")).backends[0].stats;
    const seen = (text: string) =>
      until(async () => (await stats()).last_check.includes(text), 10_000, text);
    await seen('"1"');
    await say("maybe\n");
    await seen("maybe");
    assert.equal((await stats()).live, true);
    await say("0\n");
    await seen('"0"');
    assert.equal((await stats()).live, false);
    await say("maybe\n");
    await seen("maybe");
    assert.equal((await stats()).live, false);
    await twixt.loggedTimes(2, ({ msg }) => msg === "a check has no result");
    await Deno.remove(said);
  },
);

Deno.test("an agent's weight, drain and word reach clients and the API", { timeout }, async () => {
  const say = (text: string) => (conn: Deno.Conn) => writeAll(conn, new TextEncoder().encode(text));
  let line = "up 100%";
  // an agent has the same port on each host; the hosts are two addresses of loopback
  await using first = new TcpBackend((conn) => say(`${line}\n`)(conn));
  await using _second = new TcpBackend(say("up\n"), first.port, "127.0.0.2");
  await using one = new TcpBackend(say("one"));
  await using two = new TcpBackend(say("two"), 0, "127.0.0.2");
  const static_list = [one, two].map(({ address }) => `${address} weight=50`);
  await using twixt = await start({
    ...staticServer([]),
    balance: "weight",
    discovery: { kind: "static", static_list },
    healthcheck: { kind: "agent", agent_port: first.port, interval: "50ms", timeout: "2s" },
  });
  const CLIENTS = 300;
  /** What the API shows once the agent's word is known, and clients of the first backend of 300. */
  const after = async (word: string) => {
    line = word;
    // deno-lint-ignore no-explicit-any
    const backend = async (): Promise<any> => (await twixt.stats("web")).backends[0];
    await until(async () => (await backend()).stats.last_check === JSON.stringify(word));
    let clients = 0;
    for (let i = 0; i < CLIENTS; i++) {
      const heard = await ask(twixt.port("web"));
      assert.ok(heard === "one" || heard === "two", "a client was refused");
      if (heard === "one") clients++;
    }
    const { weight, stats: { live, draining } } = await backend();
    console.log(`${word}: ${clients} of ${CLIENTS} clients, weight ${weight}`);
    return { clients, weight, live, draining: draining ?? false };
  };
  const even = await after("up 100%");
  assert.ok(even.clients > 100 && even.clients < 200, "half of them");
  const light = await after("up 20%");
  assert.ok(light.clients > 20 && light.clients < 85, "a sixth of them");
  assert.equal(light.weight, 10);
  assert.deepEqual(await after("drain"), { clients: 0, weight: 10, live: true, draining: true });
  assert.deepEqual(await after("down"), { clients: 0, weight: 10, live: false, draining: true });
  const back = await after("up ready 100%");
  assert.ok(back.clients > 100 && back.clients < 200, "half of them again");
  assert.deepEqual([back.weight, back.live, back.draining], [50, true, false]);
});
