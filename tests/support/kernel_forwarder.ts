/** A forwarder in a kernel in memory, with time of its own. */
import { Forwarder } from "../../lib/kernel/forwarder.ts";
import { ManualClock } from "./clock.ts";
import { FakeKernel } from "./kernel.ts";
import { MemoryLog } from "./log.ts";
import { counters as newCounters } from "./members.ts";

/** The table of `forwarded()`. */
export const NAME = "twixt_tcp_80_any";

/** A forwarder of process 100, or another one, in a kernel with time of its own. Dispose it. */
export function setUp(kernel = new FakeKernel(), pid = 100, predecessor?: number) {
  kernel.starts.set(pid, pid * 10);
  const [clock, log, counters] = [new ManualClock(), new MemoryLog(), newCounters(1, 1)];
  const addresses = () => ["127.0.0.1", "10.0.0.1", "fd00::1"];
  const forwarder = new Forwarder({
    ...{ run: kernel.run, pid, predecessor, addresses, counters, clock, log },
  });
  return {
    ...{ kernel, clock, log, counters, forwarder },
    /** Lets time pass, and what it starts go on. */
    async pass(ms: number) {
      for (let passed = 0; passed < ms; passed += 50) {
        await clock.advance(50);
        await new Promise((resolve) => setTimeout(resolve));
      }
    },
    /** Who gets new clients, by the last octet. */
    led(name = NAME): string {
      const rules = kernel.tables.get(name)?.chains.get("choose") ?? [];
      return [...JSON.stringify(rules).matchAll(/"to_10\.0\.0\.(\d+)_80"/g)].map(([, last]) => last)
        .join(" ");
    },
    [Symbol.asyncDispose]: () => forwarder.end(),
  };
}
