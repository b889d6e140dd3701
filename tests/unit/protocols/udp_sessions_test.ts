import assert from "node:assert/strict";
import fc from "fast-check";
import { type Listed, UdpSessions } from "../../../protocols/udp_sessions.ts";

class Entry implements Listed<Entry> {
  older: Entry | undefined;
  newer: Entry | undefined;
  constructor(readonly key: string) {}
}

/** From the one that was silent for longest. */
function keys(sessions: UdpSessions<Entry>): string[] {
  return [...sessions].map(({ key }) => key);
}

Deno.test("UdpSessions keeps sessions in the order of their silence", () => {
  const sessions = new UdpSessions<Entry>();
  assert.equal(sessions.oldest, undefined);
  const [a, b, c] = ["a", "b", "c"].map((key) => new Entry(key)) as [Entry, Entry, Entry];
  for (const entry of [a, b, c]) sessions.add(entry);
  sessions.touch(a);
  assert.deepEqual(keys(sessions), ["b", "c", "a"]);
  sessions.touch(a);
  sessions.touch(c);
  assert.deepEqual(keys(sessions), ["b", "a", "c"]);
  sessions.remove(b);
  assert.equal(sessions.oldest, a);
  assert.equal(sessions.size, 2);
  assert.equal(sessions.get("b"), undefined);
});

Deno.test("UdpSessions: a session that is detached stays, and its client gets another", () => {
  const sessions = new UdpSessions<Entry>();
  const [first, second] = [new Entry("a"), new Entry("a")];
  sessions.add(first);
  sessions.detach(first);
  assert.equal(sessions.get("a"), undefined);
  assert.equal(sessions.size, 1);
  sessions.add(second);
  sessions.remove(first); // mustn't take the second's entry along
  assert.equal(sessions.get("a"), second);
  assert.deepEqual(keys(sessions), ["a"]);
});

Deno.test("UdpSessions: each may take itself out while all are looked at", () => {
  const sessions = new UdpSessions<Entry>();
  for (const key of "abcde") sessions.add(new Entry(key));
  for (const session of sessions) sessions.remove(session);
  assert.equal(sessions.size, 0);
  assert.equal(sessions.oldest, undefined);
});

Deno.test("UdpSessions does what a list would do, whatever happens in whatever order", () => {
  const step = fc.record({
    what: fc.constantFrom("add", "touch", "remove", "detach", "evict"),
    key: fc.constantFrom(..."abcdefgh"),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
    const sessions = new UdpSessions<Entry>();
    let model: Entry[] = [];
    const led = new Map<string, Entry>();
    for (const { what, key } of steps) {
      const known = led.get(key);
      if (what === "add" && known === undefined) {
        const entry = new Entry(key);
        sessions.add(entry);
        model.push(entry);
        led.set(key, entry);
      } else if (what === "evict" && sessions.oldest !== undefined) {
        const { oldest } = sessions;
        assert.equal(oldest, model[0]);
        sessions.remove(oldest);
        model = model.slice(1);
        if (led.get(oldest.key) === oldest) led.delete(oldest.key);
      } else if (known !== undefined && what === "touch") {
        sessions.touch(known);
        model = [...model.filter((one) => one !== known), known];
      } else if (known !== undefined && what === "detach") {
        sessions.detach(known);
        led.delete(key);
      } else if (known !== undefined && what === "remove") {
        sessions.remove(known);
        model = model.filter((one) => one !== known);
        led.delete(key);
      }
      assert.deepEqual([...sessions], model);
      assert.equal(sessions.size, model.length);
      assert.equal(sessions.oldest, model[0]);
      assert.equal(sessions.get(key), led.get(key));
    }
  }));
});
