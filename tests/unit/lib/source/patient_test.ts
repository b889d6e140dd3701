import assert from "node:assert/strict";
import { ConfigError, messageOf, printProblem, StartError } from "../../../../lib/errors.ts";
import { patientSource } from "../../../../lib/source/patient.ts";
import type { BaseText } from "../../../../lib/source/source.ts";
import { ManualClock, settle } from "../../../support/clock.ts";
import { MemoryLog } from "../../../support/log.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

const DOWN = new StartError("it is down", "start it");

function textOf(text: string): BaseText {
  return { text, format: "toml", file: "there" };
}

/** A source that answers what it is told to, and "bad" for a text that can't be used. */
function setUp(fallback?: string) {
  const clock = new ManualClock();
  const told: string[] = [];
  const state: { answer: BaseText | Error; asked: number } = { answer: DOWN, asked: 0 };
  const source = patientSource({
    about: { kind: "url", url: "there" },
    read: () => {
      state.asked++;
      const { answer } = state;
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
  }, {
    fallback,
    judge: ({ text }) => {
      if (text !== "bad") return;
      throw new ConfigError([{ path: [], message: "is bad", hint: "mend it", file: "there" }]);
    },
    tell: (text) => told.push(text),
    ...{ clock, random: () => 0 },
  });
  return { source, clock, told, state, log: new MemoryLog() };
}

/** What a read comes to within 30 s, once files have been read. */
async function outcome(reading: Promise<BaseText>, clock: ManualClock): Promise<string> {
  const result = reading.then(({ text }) => text, (error) => {
    const hint = error instanceof StartError ? `\n${error.hint}` : "";
    return `${error.name}: ${messageOf(error)}${hint}`;
  });
  await clock.advance(30_000);
  return await result;
}

Deno.test("a source that answers is read at once, also when it is bad and there is no fallback", async () => {
  const { source, state } = setUp();
  state.answer = textOf("bad");
  assert.equal((await source.read()).text, "bad");
});

Deno.test("a source that is down at the start is asked again, and each failure told", async () => {
  const { source, clock, told, state } = setUp();
  const reading = source.read();
  await clock.advance(7_000);
  assert.deepEqual(told, [30, 29, 27, 23].map((left) => `it is down; trying again for ${left} s`));
  state.answer = textOf("a");
  await clock.advance(5_000);
  assert.equal((await reading).text, "a");
});

Deno.test("without an answer and without a fallback the start fails after 30 s with what to do", async () => {
  const { source, clock, state } = setUp();
  assert.equal(
    await outcome(source.read(), clock),
    "StartError: it is down\nstart it; --fallback FILE keeps the last good configuration for such a start",
  );
  assert.equal(state.asked, 8);
});

Deno.test("without an answer and with a fallback that doesn't exist yet the start fails, too", async () => {
  const { source, clock } = setUp("/nowhere/last.toml");
  assert.equal(
    await outcome(source.read(), clock),
    "StartError: it is down\n" +
      "start it; and /nowhere/last.toml doesn't exist yet: it is written once there is an answer",
  );
});

Deno.test("a wrong command line isn't waited for", async () => {
  const { source, state, told } = setUp();
  state.answer = new StartError("no such CA", "name another", true);
  await assert.rejects(source.read(), { message: "no such CA" });
  assert.deepEqual({ told, asked: state.asked }, { told: [], asked: 1 });
});

Deno.test("an order to stop ends the wait", async () => {
  const { source, clock, state } = setUp();
  const stop = new AbortController();
  const reading = source.read(stop.signal);
  reading.catch(() => {});
  await clock.advance(1_000);
  stop.abort();
  await assert.rejects(reading, { message: "told to stop before there was a configuration" });
  await clock.advance(60_000);
  assert.equal(state.asked, 2);
});

Deno.test("once started, a read asks once and is not helped by a fallback", async () => {
  const { source, state, told } = setUp("/nowhere/last.toml");
  state.answer = textOf("a");
  await source.read();
  state.answer = DOWN;
  await assert.rejects(source.read(), DOWN);
  state.answer = textOf("bad");
  assert.equal((await source.read()).text, "bad");
  assert.deepEqual(told, []);
});

Deno.test("what is in force is kept for this user alone, and a start without an answer uses it, warning", async () => {
  await using folder = new TemporaryFolder();
  const file = `${folder.path}/last`;
  const first = setUp(file);
  first.state.answer = textOf("a");
  const base = await first.source.read();
  assert.throws(() => Deno.statSync(file), Deno.errors.NotFound, "it isn't in force yet");
  first.source.inForce!(base, first.log);
  assert.equal(Deno.readTextFileSync(file), "a");
  assert.equal(Deno.statSync(file).mode! & 0o777, 0o600);
  assert.deepEqual([...Deno.readDirSync(folder.path)].length, 1);

  const second = setUp(file);
  const reading = second.source.read();
  await second.clock.advance(30_000);
  const old = await reading;
  assert.equal(old.text, "a");
  assert.equal(old.file, file);
  assert.deepEqual(old.warnings!.map(printProblem), [
    `${file}: RUNNING WITH THE LAST GOOD CONFIGURATION, which may be old: it is down\n` +
    "       it is replaced as soon as a better one can be had",
  ]);
  assert.match(second.told.at(-1)!, /RUNNING WITH THE LAST GOOD CONFIGURATION/);
  const before = Deno.statSync(file).ino;
  second.source.inForce!(old, second.log);
  assert.equal(Deno.statSync(file).ino, before, "it holds it already");
});

Deno.test.each([
  { text: ' \n{"a": 1}', format: "json" },
  { text: "a = 1", format: "toml" },
])("a fallback that holds $text is $format, whatever its name", async ({ text, format }) => {
  await using folder = new TemporaryFolder();
  await Deno.writeTextFile(`${folder.path}/last.conf`, text);
  const { source, state } = setUp(`${folder.path}/last.conf`);
  state.answer = textOf("bad");
  assert.equal((await source.read()).format, format);
});

Deno.test("a source that holds what can't be used at the start is replaced by the fallback at once", async () => {
  await using folder = new TemporaryFolder();
  const file = `${folder.path}/last.toml`;
  const { source, state, told, log } = setUp(file);
  state.answer = textOf("bad");
  await assert.rejects(setUpBad(file).read(), { name: "ConfigError" }, "there is no fallback yet");
  await Deno.writeTextFile(file, "a");
  const base = await source.read();
  assert.equal(base.text, "a");
  assert.match(told[0]!, /LAST GOOD CONFIGURATION, which may be old: there: is bad$/);
  source.inForce!(textOf("b"), log);
  assert.equal(Deno.readTextFileSync(file), "b");
});

function setUpBad(file: string) {
  const { source, state } = setUp(file);
  state.answer = textOf("bad");
  return source;
}

Deno.test("a fallback file that can't be written is logged, and nothing else", async () => {
  const { source, log } = setUp("/nowhere/last.toml");
  source.inForce!(textOf("a"), log);
  await settle();
  assert.match(log.lines[0]!, /^error the fallback file can't be written.* file=\/nowhere\/last/);
});
