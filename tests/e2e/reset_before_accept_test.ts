import assert from "node:assert/strict";
import net from "node:net";
import { ask, greeter } from "../support/backends.ts";
import { hasProc } from "../support/host.ts";
import { staticServer } from "../support/static_server.ts";
import { Twixt } from "../support/twixt.ts";

const RESETS = 1_000;
const GOOD = 100;

Deno.test("1,000 clients that reset before they are accepted keep none of 100 others away", {
  ignore: !hasProc,
  timeout: 60_000,
}, async () => {
  await using red = greeter("red");
  await using twixt = await Twixt.start({
    config: { workers: 2, servers: { web: staticServer([red]) } },
  });
  const port = twixt.port("web");
  const before = await twixt.descriptors();

  twixt.signal("SIGSTOP"); // the kernel goes on accepting, into the queues
  const good: Promise<string>[] = [];
  for (let i = 0; i < RESETS; i++) {
    await connectAndReset(port);
    if (i % (RESETS / GOOD) === 0) good.push(ask(port));
  }
  twixt.signal("SIGCONT");
  const heard = await Promise.all(good);

  // the same while it is running, for whom a race brings to accept
  let during = 0;
  for (let i = 0; i < RESETS; i++) {
    await connectAndReset(port);
    if (i % (RESETS / GOOD) === 0 && await ask(port) === "red") during++;
  }
  const served = heard.filter((text) => text === "red").length;
  console.log(`${served} of ${GOOD} served between ${RESETS} resets in the queue, ${during} later`);
  assert.equal(served, GOOD);
  assert.equal(during, GOOD);
  assert.deepEqual(twixt.lines.filter(({ level }) => level === "error"), []);
  await twixt.descriptorsReturn(before);
});

/** Connects and sends RST. `Deno.connect` can't do that. */
function connectAndReset(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, "127.0.0.1", () => socket.resetAndDestroy());
    socket.on("error", reject);
    socket.on("close", () => resolve());
  });
}
