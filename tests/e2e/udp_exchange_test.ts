/** What HTTP/3 does to a balancer: many clients, datagrams of 1,200 bytes both ways, lost ones sent again. */
import assert from "node:assert/strict";
import { Twixt } from "../support/twixt.ts";
import { UdpPeer } from "../support/udp.ts";

const CLIENTS = 20;
/** Datagrams that a client has on their way: all together fit into the kernel's buffer. */
const WINDOW = 3;
const EACH = 400;
const BYTES = 1_200;
const AGAIN_MS = 250;

/** A datagram that tells which it is, and isn't like any other. */
function datagram(client: number, number: number): string {
  return `${client}/${number}/`.padEnd(BYTES, `${client * 31 + number}.`);
}

/** Sends all of its datagrams and takes each one's answer. Returns how often it had to send one again. */
async function exchange(index: number, port: number): Promise<number> {
  await using client = new UdpPeer();
  const waiting = new Map<string, number>();
  let next = 0;
  let again = 0;
  const send = async (text: string) => {
    waiting.set(text, performance.now());
    await client.send(text, port);
  };
  for (let done = 0; done < EACH;) {
    while (waiting.size < WINDOW && next < EACH) await send(datagram(index, next++));
    const answer = await client.next(AGAIN_MS);
    if (answer !== undefined && waiting.delete(answer.split("").reverse().join(""))) done++;
    for (const [text, since] of waiting) {
      if (performance.now() - since < AGAIN_MS) continue;
      again++;
      await send(text);
    }
  }
  return again;
}

Deno.test("20 clients exchange 8,000 datagrams of 1,200 bytes, each byte as it was sent", {
  timeout: 60_000,
}, async () => {
  const answer = (text: string) => [text.split("").reverse().join("")];
  await using one = new UdpPeer(answer);
  await using two = new UdpPeer(answer);
  await using twixt = await Twixt.start({
    config: {
      api: { enabled: true, bind: "127.0.0.1:0" },
      servers: {
        quic: {
          bind: "127.0.0.1:0",
          protocol: "udp",
          balance: "leastconn",
          udp: { buffer_size: 1_472 },
          discovery: {
            kind: "static",
            static_list: [one, two].map(({ port }) => `127.0.0.1:${port}`),
          },
        },
      },
    },
  });
  const port = twixt.port("quic");
  const open = await twixt.descriptors();
  const again = await Promise.all(Array.from({ length: CLIENTS }, (_, i) => exchange(i, port)));
  const total = again.reduce((sum, each) => sum + each);
  console.log(`${CLIENTS * EACH} datagrams there and back, ${total} sent again`);
  assert.ok(total <= 0.01 * CLIENTS * EACH, `${total} sent again`);
  const stats = await twixt.stats("quic");
  assert.ok(stats.tx_total >= CLIENTS * EACH * BYTES);
  assert.equal(stats.active_connections, CLIENTS);
  for (const { stats: { active_connections } } of stats.backends) {
    assert.equal(active_connections, CLIENTS / 2);
  }
  for (const peer of [one, two]) {
    const sources = Map.groupBy(peer.got, ({ text }) => text.split("/")[0]!);
    for (const got of sources.values()) {
      assert.equal(new Set(got.map(({ from }) => from.port)).size, 1, "one session a client");
    }
  }
  assert.equal(await twixt.descriptors(), open + CLIENTS);
});
