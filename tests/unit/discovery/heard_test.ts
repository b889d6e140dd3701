import assert from "node:assert/strict";
import { Heard, type Take } from "../../../discovery/_heard.ts";

const take: Take = (line) => {
  if (line === "bad") throw new Error("no event");
  return line === "gone" ? "gone" : line === "" ? "same" : "changed";
};

/** Lines that come when they are said. */
function spoken() {
  const stream = new TransformStream<string, string>();
  const writer = stream.writable.getWriter();
  return {
    lines: stream.readable,
    say: async (...lines: string[]) => {
      for (const line of lines) await writer.write(line);
      await new Promise((resolve) => setTimeout(resolve));
    },
    end: () => writer.close(),
  };
}

Deno.test("Heard tells of a burst once, and of what came between two questions", async () => {
  const { lines, say, end } = spoken();
  const heard = new Heard(lines, take);
  const first = heard.next();
  await say("", "a", "b", "c");
  assert.equal(await first, "changed");
  assert.equal(await heard.next(), "changed"); // b and c came after a had been told
  await say("");
  const last = heard.next();
  await end();
  assert.equal(await last, "over");
  assert.equal(await heard.next(), "over");
  assert.deepEqual([heard.events, heard.broken], [5, false]);
  await heard.ended;
});

Deno.test.each(["gone", "bad"])("Heard is over with %s", async (line) => {
  const { lines, say } = spoken();
  const heard = new Heard(lines, take);
  const said = say("a", line).catch(() => {}); // nobody reads any more
  assert.equal(await heard.next(), "changed");
  assert.equal(await heard.next(), "over");
  await said;
  assert.equal(heard.broken, true);
  await heard.ended;
});
