/** A million datagrams from a hundred thousand sources, and what becomes of everybody else. */
import assert from "node:assert/strict";
import { hasProc } from "../support/host.ts";
import { startFlood } from "../support/load/load_process.ts";
import { Twixt } from "../support/twixt.ts";
import { named, UdpPeer } from "../support/udp.ts";

const CAP = 4_000;
const DATAGRAMS = 1_000_000;
const SOURCES = 100_000;
/** Longest time that sending them may take. */
const FLOOD_MS = 120_000;
/** What comes after it, when memory has grown to what it needs. */
const MORE = { datagrams: 300_000, sources: 30_000 };
/** How much memory the flood may take: each session has a buffer of 16 KiB, and the heap grows before it is collected. */
const MOST_BYTES = 256 << 20;
/** How much more memory it may take if it goes on. */
const FLAT_BYTES = 40 << 20;

/** Looks at the most of what there is at a time. */
class Watch implements AsyncDisposable {
  most = 0;
  worst = 0;
  #over = false;
  readonly #running: Promise<void>;

  constructor(readonly twixt: Twixt) {
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    while (!this.#over) {
      this.most = Math.max(this.most, (await this.twixt.stats("dns")).active_connections);
      this.worst = Math.max(this.worst, await this.twixt.resident());
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true;
    await this.#running;
  }
}

function mib(bytes: number): string {
  return (bytes / (1 << 20)).toFixed(1);
}

async function flooded(when_full: "refuse" | "evict") {
  await using stack = new AsyncDisposableStack();
  const backend = stack.use(named("one"));
  const twixt = stack.use(
    await Twixt.start({
      config: {
        workers: 2,
        api: { enabled: true, bind: "127.0.0.1:0" },
        servers: {
          dns: {
            bind: "127.0.0.1:0",
            protocol: "udp",
            client_idle_timeout: "5m",
            udp: { max_sessions: CAP, when_full },
            discovery: { kind: "static", static_list: [`127.0.0.1:${backend.port}`] },
          },
        },
      },
    }),
  );
  const port = twixt.port("dns");
  const open = await twixt.descriptors();
  const clients = Array.from({ length: 10 }, () => stack.use(new UdpPeer()));
  for (const client of clients) assert.equal(await client.ask("before", port), "one before");
  const portsBefore = backend.got.map(({ from }) => from.port);
  const before = await twixt.resident();
  const watch = stack.use(new Watch(twixt));
  const flood = stack.use(await startFlood(port, DATAGRAMS, SOURCES));
  const { sent, sources, ms } = await flood.stop(FLOOD_MS);
  const { worst } = watch;
  await stack.use(await startFlood(port, MORE.datagrams, MORE.sources)).stop(FLOOD_MS);
  const { most } = watch;
  const grown = watch.worst - worst;
  const portsAfter: number[] = [];
  const since = performance.now();
  for (const client of clients) {
    let answer: string | undefined;
    while (answer !== "one after" && performance.now() - since < 1_000) {
      answer = await client.ask("after", port, 200);
    }
    assert.equal(answer, "one after", `after ${performance.now() - since} ms`);
    portsAfter.push(backend.got.findLast(({ text }) => text === "after")!.from.port);
  }
  const answeredMs = Math.round(performance.now() - since);
  const { refused, dropped, active_connections } = await twixt.stats("dns");
  console.log(
    `${when_full}: ${sent} datagrams of ${sources} sources in ${ms} ms: ` +
      `at most ${most} sessions, memory +${mib(worst - before)} MiB, then ` +
      `+${mib(grown)}, ` +
      `${refused.over_limit} refused, ${dropped.evicted} evicted, all clients answered ${answeredMs} ms after it`,
  );
  assert.equal(sent, DATAGRAMS);
  assert.equal(sources, SOURCES);
  assert.ok(most <= CAP, `${most} sessions`);
  assert.ok(active_connections <= CAP);
  assert.ok(worst - before < MOST_BYTES, `${worst - before} bytes`);
  assert.ok(grown < FLAT_BYTES, `${grown} bytes more`);
  assert.ok(await twixt.descriptors() <= open + CAP + 10);
  return { refused, dropped, portsBefore, portsAfter };
}

Deno.test("a flood from 100,000 sources is refused beyond max_sessions; who was there is served", {
  ignore: !hasProc,
  timeout: 300_000,
}, async () => {
  const { refused, dropped, portsBefore, portsAfter } = await flooded("refuse");
  assert.ok(refused.over_limit > 10_000);
  assert.equal(dropped.evicted, 0);
  assert.deepEqual(portsAfter, portsBefore, "in their sessions");
});

Deno.test(
  "a flood from 100,000 sources evicts the oldest beyond max_sessions; who comes is served",
  {
    ignore: !hasProc,
    timeout: 300_000,
  },
  async () => {
    const { refused, dropped } = await flooded("evict");
    assert.ok(dropped.evicted > 1_000);
    assert.equal(refused.over_limit, 0);
  },
);
