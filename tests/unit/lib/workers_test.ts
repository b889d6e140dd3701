import assert from "node:assert/strict";
import type { FromWorker, ToWorker } from "../../../lib/messages.ts";
import type { ServerTable } from "../../../lib/model.ts";
import { counterBuffer, Counters } from "../../../lib/stats/counters.ts";
import { type WorkerLike, Workers } from "../../../lib/workers.ts";
import { ManualClock, settle } from "../../support/clock.ts";
import { MemoryLog } from "../../support/log.ts";

/** A worker that remembers what it was told and answers as `answer` says. */
class FakeWorker implements WorkerLike {
  onmessage: ((event: MessageEvent) => void) | null = null;
  onerror: ((event: ErrorEvent) => void) | null = null;
  readonly told: ToWorker[] = [];
  ended = false;

  constructor(readonly answer: (message: ToWorker) => FromWorker | undefined) {}

  postMessage(data: unknown): void {
    const message = (typeof data === "string" ? JSON.parse(data) : data) as ToWorker;
    this.told.push(message);
    const answer = this.answer(message);
    if (answer !== undefined) {
      queueMicrotask(() => this.onmessage?.(new MessageEvent("message", { data: answer })));
    }
  }

  terminate(): void {
    this.ended = true;
  }

  die(message: string): void {
    this.onerror?.(new ErrorEvent("error", { message, cancelable: true }));
  }

  kinds(): string[] {
    return this.told.map((message) => message.kind).filter((kind) => kind !== "version");
  }
}

function willing(message: ToWorker): FromWorker | undefined {
  switch (message.kind) {
    case "setup":
      return { kind: "ready" };
    case "serve":
      return { kind: "listening", server: message.server.name };
    case "stop":
      return { kind: "stopped", server: message.server };
    case "drain":
      return { kind: "drained" };
    default:
      return undefined;
  }
}

async function setUp(answer = willing) {
  const made: FakeWorker[] = [];
  const clock = new ManualClock();
  const log = new MemoryLog();
  const buffer = counterBuffer(2);
  const counters = new Counters(buffer, 2, 2);
  const workers = new Workers({
    count: 2,
    spawn: () => {
      const worker = new FakeWorker(answer);
      made.push(worker);
      return worker;
    },
    ...{ buffer, counters, clock, log },
    setup: { bufferBudget: 1, debug: false },
  });
  await workers.start();
  return { workers, made, clock, log, buffer, counters };
}

const POOL = { name: "p", slot: 1, strategy: "weight", members: [] };
const SERVER = {
  name: "web",
  pool: "p",
  hostname: "127.0.0.1",
  port: 80,
} as unknown as ServerTable;

Deno.test("all workers are told the same, in order, with a version that grows", async () => {
  const { workers, made } = await setUp();
  const first = workers.setPool(POOL);
  await workers.serve(SERVER);
  await workers.stop("web", false);
  assert.ok(workers.forgetPool("p") > first);
  for (const worker of made) {
    assert.deepEqual(worker.kinds(), ["setup", "pool", "serve", "stop", "forget"]);
    assert.deepEqual(worker.told.at(-1), { kind: "version", version: workers.version });
  }
  workers.end();
  assert.ok(made.every((worker) => worker.ended));
});

Deno.test("serve() fails when one of the workers can't listen", async () => {
  let serves = 0;
  const { workers } = await setUp((message) =>
    message.kind === "serve" && ++serves === 2
      ? { kind: "failed", server: "web", why: "address in use" }
      : willing(message)
  );
  await assert.rejects(workers.serve(SERVER), {
    name: "StartError",
    message: `server "web" can't listen on 127.0.0.1:80: address in use`,
  });
  workers.end();
});

Deno.test("a worker that dies is replaced, told everything that holds, and its sessions are taken off", async () => {
  const { workers, made, clock, log, buffer, counters } = await setUp();
  workers.setPool(POOL);
  await workers.serve(SERVER);
  new Counters(buffer, 2, 0).take(5, 0);
  made[0]!.die("boom");
  assert.equal(counters.active(5), 0);
  assert.deepEqual(workers.running(), [1]);
  assert.match(log.lines[0]!, /^error a worker died.* worker=0 why=boom/);
  await clock.advance(100);
  assert.equal(made.length, 3);
  assert.deepEqual(made[2]!.kinds(), ["setup", "pool", "serve"]);
  assert.deepEqual(workers.running(), [0, 1]);
  assert.equal(workers.deaths, 1);
  workers.end();
});

Deno.test("a worker that dies again and again is replaced more and more slowly", async () => {
  const { workers, made, clock } = await setUp();
  for (const pauseMs of [100, 200, 400, 800, 1600, 3200, 5000, 5000]) {
    const before = made.length;
    made.at(-1)!.die("boom");
    await clock.advance(pauseMs - 1);
    assert.equal(made.length, before);
    await clock.advance(1);
    assert.equal(made.length, before + 1);
  }
  await clock.advance(61_000);
  made.at(-1)!.die("boom");
  await clock.advance(100);
  assert.equal(made.length, 2 + 9);
  workers.end();
});

Deno.test("a request in progress fails when the worker dies, and end() replaces nobody", async () => {
  const { workers, made, clock } = await setUp((message) =>
    message.kind === "serve" ? undefined : willing(message)
  );
  const serving = workers.serve(SERVER);
  made[0]!.die("boom");
  workers.end();
  await assert.rejects(serving, { name: "StartError" });
  await clock.advance(10_000);
  await settle();
  assert.equal(made.length, 2);
});

Deno.test("a server of datagrams lives in one worker, by its name, and nowhere else", async () => {
  const { workers, made } = await setUp();
  const serves = (name: string) =>
    made.map(({ told }) =>
      told.filter((message) => message.kind === "serve" && message.server.name === name).length
    );
  const homes = new Set<string>();
  for (let i = 0; i < 20; i++) {
    const name = `udp${i}`;
    await workers.serve({ ...SERVER, name, protocol: "udp" });
    const counts = serves(name);
    assert.equal(counts[0]! + counts[1]!, 1, name);
    await workers.serve({ ...SERVER, name, protocol: "udp" });
    assert.deepEqual(serves(name), counts.map((count) => 2 * count), "the same one again");
    homes.add(String(counts));
  }
  assert.equal(homes.size, 2, "they are spread");
  const versions = made.map(({ told }) => told.at(-1));
  assert.deepEqual(versions[0], versions[1], "both have seen all");
  workers.end();
});

Deno.test("a server that is to speak another protocol stops in all workers first", async () => {
  const { workers, made, clock } = await setUp();
  await workers.serve({ ...SERVER, protocol: "tcp" });
  await workers.serve({ ...SERVER, protocol: "udp" });
  const kinds = made.map((worker) => worker.kinds().slice(1).join()).sort();
  assert.deepEqual(kinds, ["serve,stop", "serve,stop,serve"]);
  made.find((worker) => worker.kinds().length === 3)!.die("boom");
  await clock.advance(100);
  assert.deepEqual(made[2]!.kinds(), ["setup"], "it isn't the one's");
  workers.end();
});
