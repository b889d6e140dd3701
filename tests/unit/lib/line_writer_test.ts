import assert from "node:assert/strict";
import { type ByteSink, LineWriter } from "../../../lib/line_writer.ts";

const report = (dropped: number) => `dropped ${dropped}\n`;

/** A sink that keeps what is written, or behaves as `write` says. */
function memory(write?: (bytes: Uint8Array) => Promise<number>) {
  const texts: string[] = [];
  const sink: ByteSink = {
    write: write ?? ((bytes) => {
      texts.push(new TextDecoder().decode(bytes));
      return Promise.resolve(bytes.length);
    }),
  };
  return { sink, texts };
}

Deno.test("lines are written in order, short writes continued", async () => {
  let text = "";
  const writer = new LineWriter(() =>
    Promise.resolve({
      write: (bytes) => {
        text += new TextDecoder().decode(bytes.subarray(0, 3));
        return Promise.resolve(Math.min(3, bytes.length));
      },
    }), report);
  writer.write("first\n");
  writer.write("second\n");
  await writer.close(1000);
  assert.equal(text, "first\nsecond\n");
});

Deno.test("a line that comes as the writer falls idle is written, too", async () => {
  for (let turns = 0; turns < 20; turns++) {
    const { sink, texts } = memory();
    const writer = new LineWriter(() => Promise.resolve(sink), report);
    writer.write("first\n");
    for (let i = 0; i < turns; i++) await Promise.resolve();
    writer.write("second\n");
    await new Promise((resolve) => setTimeout(resolve));
    assert.equal(texts.join(""), "first\nsecond\n", `after ${turns} turns`);
    await writer.close(1000);
  }
});

Deno.test("a reader that stops costs lines beyond a megabyte, which are counted", async () => {
  const writer = new LineWriter(
    () => Promise.resolve(memory(() => new Promise(() => {})).sink),
    report,
  );
  for (let i = 0; i < 3000; i++) writer.write("x".repeat(1023) + "\n");
  assert.ok(writer.dropped >= 1900 && writer.dropped < 2100, String(writer.dropped));
  await writer.close(1);
});

Deno.test("after failed writes the loss is reported as soon as writing works again", async () => {
  const { sink, texts } = memory();
  let broken = true;
  let opened = 0;
  const open = () => {
    opened++;
    return broken ? Promise.reject(new Error("disk full")) : Promise.resolve(sink);
  };
  const writer = new LineWriter(open, report, 5);
  writer.write("one\n");
  writer.write("two\n");
  await new Promise((resolve) => setTimeout(resolve, 20));
  broken = false;
  writer.write("three\n");
  await writer.close(1000);
  assert.equal(texts.join(""), "three\ndropped 2\n");
  assert.equal(writer.dropped, 2);
  assert.ok(opened >= 2);
});

Deno.test("a line that was written in part is ended, counted, and not continued by another", async () => {
  let text = "";
  let room = 8;
  const open = () =>
    Promise.resolve({
      write(bytes: Uint8Array) {
        if (room === 0) return Promise.reject(new Error("disk full"));
        const taken = bytes.subarray(0, room);
        room -= taken.length;
        text += new TextDecoder().decode(taken);
        return Promise.resolve(taken.length);
      },
    });
  const writer = new LineWriter(open, report, 5);
  writer.write("one\n");
  await new Promise((resolve) => setTimeout(resolve, 1));
  writer.write("second\n");
  writer.write("third\n");
  await new Promise((resolve) => setTimeout(resolve, 1));
  room = 1000;
  writer.write("fourth\n");
  await writer.close(1000);
  assert.equal(text, "one\nseco\nthird\nfourth\ndropped 1\n");
});

Deno.test("close() doesn't wait for ever for a reader that never reads", async () => {
  const writer = new LineWriter(
    () => Promise.resolve(memory(() => new Promise(() => {})).sink),
    report,
  );
  writer.write("line\n");
  await writer.close(5);
  writer.write("after\n");
  assert.equal(writer.dropped, 1);
});
