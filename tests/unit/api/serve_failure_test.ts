import assert from "node:assert/strict";
import type { Listen } from "../../../api/listen.ts";
import { HELLO, serve } from "../../support/api.ts";
import { ManualClock, settle } from "../../support/clock.ts";
import { MemoryLog } from "../../support/log.ts";

/** Listeners that end when the test says so; `broken` makes opening fail. */
class FakeListeners {
  readonly ports: (number | undefined)[] = [];
  broken = false;
  #end = Promise.withResolvers<void>();

  readonly listen: Listen = ({ port }) => {
    this.ports.push(port);
    if (this.broken) throw new Error("Too many open files (os error 24)");
    const end = this.#end = Promise.withResolvers<void>();
    const addr = { transport: "tcp", hostname: "127.0.0.1", port: port || 4321 } as const;
    return {
      addr,
      finished: end.promise,
      shutdown: () => {
        end.resolve();
        return end.promise;
      },
    };
  };

  async fail(error?: Error): Promise<void> {
    if (error === undefined) this.#end.resolve();
    else this.#end.reject(error);
    await settle();
  }
}

Deno.test("serveApi() opens a failed listener again on the same port, as often as it takes", async () => {
  const clock = new ManualClock();
  const log = new MemoryLog();
  const fake = new FakeListeners();
  const api = await serve(HELLO, { clock, log, listen: fake.listen });
  assert.equal(api.port, 4321);
  await fake.fail(new Error("Too many open files (os error 24)"));
  fake.broken = true;
  await clock.advance(2_000);
  assert.deepEqual(fake.ports, [0, 4321, 4321]);
  fake.broken = false;
  await clock.advance(1_000);
  assert.deepEqual(fake.ports, [0, 4321, 4321, 4321]);
  await fake.fail();
  await clock.advance(1_000);
  assert.equal(fake.ports.length, 5);
  assert.deepEqual(log.lines, [
    "error the API's listener failed; it is opened again soon " +
    "error=out of file descriptors (raise the limit: ulimit -n)",
    "info the API listens again port=4321",
    "error the API's listener failed; it is opened again soon error=it ended",
    "info the API listens again port=4321",
  ]);
  await api.close();
  await clock.advance(10_000);
  assert.equal(fake.ports.length, 5);
});

Deno.test("close() ends the wait for a failed listener", async () => {
  const clock = new ManualClock();
  const fake = new FakeListeners();
  const api = await serve(HELLO, { clock, listen: fake.listen });
  await fake.fail(new Error("broken"));
  await api.close();
  await clock.advance(10_000);
  assert.deepEqual(fake.ports, [0]);
});
