/** The small parts of a server of datagrams. */
import assert from "node:assert/strict";
import { PROCESS_SLOT } from "../../../lib/stats/layout.ts";
import { HalfPlaces } from "../../../protocols/half_places.ts";
import { Breather } from "../../../protocols/breather.ts";
import { Affinity } from "../../../protocols/udp_affinity.ts";
import { Packets, type Sender } from "../../../protocols/udp_packet.ts";
import { counters, member } from "../../support/members.ts";

Deno.test("HalfPlaces: two sessions share one place, and none is left over", () => {
  const counts = counters();
  counts.capacity = 4;
  const places = new HalfPlaces(counts);
  const taken = Array.from({ length: 6 }, () => places.take());
  assert.deepEqual(taken, [true, true, true, true, false, false], "half of the places");
  assert.equal(new HalfPlaces(counts).take(), false, "of all servers together");
  assert.equal(counts.active(PROCESS_SLOT), 2);
  const left = [4, 3, 2, 1].map(() => {
    places.give();
    return counts.active(PROCESS_SLOT);
  });
  assert.deepEqual(left, [2, 1, 1, 0]);
  while (counts.take(PROCESS_SLOT, counts.capacity));
  assert.equal(places.take(), false, "connections have them all");
});

Deno.test("Affinity: an address keeps its backend while it has a session", () => {
  const affinity = new Affinity();
  const [one, two] = [member(1), member(2)];
  affinity.add("10.0.0.1", one);
  affinity.add("10.0.0.1", two);
  assert.equal(affinity.get("10.0.0.1"), two, "the last counts");
  affinity.remove("10.0.0.1");
  assert.equal(affinity.get("10.0.0.1"), two);
  affinity.remove("10.0.0.1");
  assert.equal(affinity.get("10.0.0.1"), undefined);
  affinity.remove("10.0.0.1");
  assert.equal(affinity.get("10.0.0.2"), undefined);
});

Deno.test("Breather: after 64 datagrams others have their turn", async () => {
  const breather = new Breather();
  let count = 1;
  while (!breather.due()) count++;
  assert.equal(count, 64);
  let other = false;
  setTimeout(() => other = true, 0);
  const end = performance.now() + 5_000;
  while (!other && performance.now() < end) await breather.take();
  assert.ok(other);
});

/** A socket whose sends end when the test says so. */
function slowSocket() {
  const ends: { resolve: () => void; reject: (error: unknown) => void }[] = [];
  const send = () =>
    new Promise<number>((resolve, reject) => ends.push({ resolve: () => resolve(1), reject }));
  return { ends, socket: { send } as unknown as Deno.DatagramConn };
}

Deno.test("Packet: its memory is used again when it is sent, not before, and what is too much is left", async () => {
  const packets = new Packets(100);
  const { ends, socket } = slowSocket();
  const failures: unknown[] = [];
  const sender = (): Sender => ({ inFlight: 0, sendFailed: (error) => failures.push(error) });
  const to: Deno.NetAddr = { transport: "udp", hostname: "127.0.0.1", port: 1 };
  const [first, ...others] = Array.from({ length: 5 }, sender) as [Sender, ...Sender[]];
  const send = (by: Sender) => {
    const packet = packets.take();
    assert.equal(packet.buffer.length, 101);
    const sent = packet.send(packet.buffer, socket, to, by);
    if (!sent) packets.give(packet);
    return sent ? packet : undefined;
  };
  const sent = Array.from({ length: 100 }, () => send(first)).filter((one) => one !== undefined);
  assert.equal(sent.length, 64, "of one session");
  assert.equal(new Set(sent).size, 64);
  for (const other of others) for (let i = 0; i < 64; i++) send(other);
  assert.equal(packets.inFlight, 256, "of all");
  ends[0]!.resolve();
  ends[1]!.reject(new Error("unreachable"));
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(packets.inFlight, 254);
  assert.equal(first.inFlight, 62);
  assert.match(String(failures), /unreachable/);
  assert.ok([sent[0], sent[1]].includes(packets.take()), "one that is free, not a new one");
});
