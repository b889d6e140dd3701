/** How 10,000 clients are spread. The exact law is a unit test's; this is about two workers together. */
import assert from "node:assert/strict";
import { ask, greeter } from "../support/backends.ts";
import { times } from "../support/clients.ts";
import { staticServer } from "../support/static_server.ts";
import { Twixt } from "../support/twixt.ts";

const CLIENTS = 10_000;
const WEIGHTS = [40, 60, 100];
/** Largest distance from the expected share, in percentage points. */
const TOLERANCE = 2;

for (const balance of ["weight", "roundrobin"]) {
  Deno.test(`2 workers spread 10,000 clients by ${balance} as 40, 60 and 100 within 2 points`, {
    timeout: 120_000,
  }, async () => {
    await using a = greeter("a");
    await using b = greeter("b");
    await using c = greeter("c");
    const backends = [a, b, c];
    const list = backends.map(({ address }, i) => `${address} weight=${WEIGHTS[i]}`);
    await using twixt = await Twixt.start({
      config: { workers: 2, servers: { web: staticServer(list, { balance }) } },
    });
    const before = await twixt.descriptors();
    const port = twixt.port("web");
    await times(CLIENTS, 20, async () => {
      assert.match(await ask(port), /^[abc]$/);
    });
    assert.equal(a.count + b.count + c.count, CLIENTS);
    const sum = WEIGHTS.reduce((sum, weight) => sum + weight);
    const shares = backends.map(({ count }) => count * 100 / CLIENTS);
    const expected = WEIGHTS.map((weight) => weight * 100 / sum);
    console.log(`${balance}: ${shares.join(", ")} % where ${expected.join(", ")} % are expected`);
    for (const [i, share] of shares.entries()) {
      assert(Math.abs(share - expected[i]!) <= TOLERANCE, `backend ${i} got ${share} %`);
    }
    await twixt.descriptorsReturn(before);
  });
}
