import assert from "node:assert/strict";
import { ConfigError, printProblem } from "../../../../lib/errors.ts";
import { fileSource } from "../../../../lib/source/file.ts";
import { withVariables } from "../../../../lib/source/variables.ts";
import { until } from "../../../support/backends.ts";
import { ManualClock } from "../../../support/clock.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

type Files = Readonly<Record<string, string>>;

async function write(folder: string, files: Files): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await Deno.mkdir(`${folder}/${name}`.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.writeTextFile(`${folder}/${name}`, text);
  }
}

/** What a watched file tells, and a clock that its looks go by. */
async function watched(path: string) {
  const clock = new ManualClock();
  const source = fileSource(path, clock);
  await source.read();
  const told: string[] = [];
  const stop = new AbortController();
  const ended = source.watch!({
    changed: ({ text, included = [] }) => {
      told.push([text, ...included.map(({ text }) => text)].join("|"));
    },
    failed: (why) => told.push(why.replaceAll(path, "FILE")),
    recovered: () => told.push("recovered"),
  }, stop.signal);
  return {
    ...{ source, told },
    /** So many looks, each to its end. */
    async look(count: number) {
      for (; count > 0; count--) {
        await until(() => clock.sleeping === 1);
        await clock.advance(500);
      }
      await until(() => clock.sleeping === 1);
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ended;
    },
  };
}

Deno.test("a watched file tells of a change once it has looked the same twice", async () => {
  await using temporary = new TemporaryFolder();
  const folder = temporary.path;
  const path = `${folder}/a.toml`;
  await write(folder, { "a.toml": "a" });
  await using file = await watched(path);
  await file.look(3);
  assert.deepEqual(file.told, []);
  await write(folder, { "a.toml": "b" });
  await file.look(1);
  assert.deepEqual(file.told, [], "it may still be written");
  await write(folder, { "a.toml": "bc" });
  await file.look(1);
  assert.deepEqual(file.told, []);
  await file.look(3);
  assert.deepEqual(file.told, ["bc"]);
});

Deno.test("a watched file that is renamed over, or touched without a change, is told of only when it differs", async () => {
  await using temporary = new TemporaryFolder();
  const folder = temporary.path;
  await write(folder, { "a.toml": "a" });
  await using file = await watched(`${folder}/a.toml`);
  await write(folder, { "b.toml": "b" });
  await Deno.rename(`${folder}/b.toml`, `${folder}/a.toml`);
  await file.look(3);
  await write(folder, { "b.toml": "b" });
  await Deno.rename(`${folder}/b.toml`, `${folder}/a.toml`);
  await file.look(3);
  assert.deepEqual(file.told, ["b"]);
});

Deno.test("a watched file of a ConfigMap follows the link of its folder", async () => {
  await using temporary = new TemporaryFolder();
  const folder = temporary.path;
  await write(folder, { "..1/a.toml": "one", "..2/a.toml": "two" });
  await Deno.symlink("..1", `${folder}/..data`);
  await Deno.symlink("..data/a.toml", `${folder}/a.toml`);
  await using file = await watched(`${folder}/a.toml`);
  await Deno.symlink("..2", `${folder}/..new`);
  await Deno.rename(`${folder}/..new`, `${folder}/..data`);
  await Deno.remove(`${folder}/..1`, { recursive: true });
  await file.look(3);
  assert.deepEqual(file.told, ["two"]);
});

Deno.test("a watched file that is gone is told of once, then that it is back, then what it holds", async () => {
  await using temporary = new TemporaryFolder();
  const folder = temporary.path;
  const path = `${folder}/a.toml`;
  await write(folder, { "a.toml": "a" });
  await using file = await watched(path);
  await Deno.remove(path);
  await file.look(6);
  const gone = "FILE does not exist; check the path, or write a first one: twixt init FILE";
  assert.deepEqual(file.told, [gone]);
  await write(folder, { "a.toml": "a" });
  await file.look(3);
  assert.deepEqual(file.told, [gone, "recovered"]);
  await Deno.remove(path);
  await file.look(3);
  await write(folder, { "a.toml": "b" });
  await file.look(3);
  assert.deepEqual(file.told, [gone, "recovered", gone, "recovered", "b"]);
});

Deno.test("a watched file tells of what a reload hasn't read yet, and of nothing that one has", async () => {
  await using temporary = new TemporaryFolder();
  const folder = temporary.path;
  await write(folder, { "a.toml": "a" });
  await using file = await watched(`${folder}/a.toml`);
  await write(folder, { "a.toml": "bb" });
  await file.source.read();
  await file.look(4);
  assert.deepEqual(file.told, []);
});

Deno.test("the files that a watched one includes are watched, and files that come and go", async () => {
  await using temporary = new TemporaryFolder();
  const folder = temporary.path;
  await write(folder, { "a.toml": 'include = ["d/*.toml"]', "d/1.toml": "1", "d/x": "" });
  await using file = await watched(`${folder}/a.toml`);
  const told = (...texts: string[]) => ['include = ["d/*.toml"]', ...texts].join("|");
  await write(folder, { "d/1.toml": "one" });
  await file.look(3);
  await write(folder, { "d/0.toml": "0" });
  await file.look(3);
  await Deno.remove(`${folder}/d/1.toml`);
  await write(folder, { "d/y": "" });
  await file.look(3);
  assert.deepEqual(file.told, [told("one"), told("0", "one"), told("0")]);
});

Deno.test("read() of a file takes what it includes, in order, each in its format", async () => {
  await using temporary = new TemporaryFolder();
  const folder = temporary.path;
  await write(folder, {
    "a.toml": `include = ["c.json", "d/*.t?ml", "./*.toml", "${folder}/d/1.toml"]`,
    ...{ "c.json": "c", "b.toml": "b", "d/2.toml": "2", "d/1.toml": "1", "d/.h.toml": "h" },
    ...{ "d/3.toml~": "~", "d/sub.toml/x": "x" },
  });
  const base = await fileSource(`${folder}/a.toml`, new ManualClock()).read();
  const included = base.included!.map(({ file, text, format }) =>
    `${file.slice(folder.length + 1)} ${text} ${format}`
  );
  assert.deepEqual(included, [
    ...["c.json c json", "d/1.toml 1 toml", "d/2.toml 2 toml", "b.toml b toml"],
  ]);
  assert.deepEqual(base.warnings, []);
});

Deno.test("read() of a file says what is wrong with its include, with line", async () => {
  await using temporary = new TemporaryFolder();
  const folder = temporary.path;
  const path = `${folder}/a.toml`;
  await write(folder, {
    "a.toml": 'x = 1\ninclude = [\n"none.toml",\n"d*/a.toml",\n"e/*.toml"]',
  });
  await assert.rejects(fileSource(path, new ManualClock()).read(), (error) => {
    assert.ok(error instanceof ConfigError);
    assert.equal(
      error.message.replaceAll(folder, "F"),
      'F/a.toml:3: include.0: "none.toml" can\'t be included: there is no such file\n' +
        "       it was looked for as F/none.toml\n" +
        'F/a.toml:4: include.1: "d*/a.toml" has a wildcard in a folder\'s name\n' +
        '       only the last part may have one, as in "conf.d/*.toml"',
    );
    return true;
  });
  await write(folder, { "a.toml": 'include = ["e/*.toml"]' });
  const { warnings, included } = await fileSource(path, new ManualClock()).read();
  assert.deepEqual(included, []);
  assert.deepEqual(warnings!.map(printProblem), [
    `${path}:1: include.0: "e/*.toml" matches no file`,
  ]);
});

Deno.test("read() of a file refuses to include more than 1,000 files, or 8 MiB in all", async () => {
  await using temporary = new TemporaryFolder();
  const folder = temporary.path;
  const path = `${folder}/a.toml`;
  const source = fileSource(path, new ManualClock());
  const half = " ".repeat(4 * 1024 * 1024);
  await write(folder, { "a.toml": 'include = ["d/*"]', "d/1": half, "d/2": half });
  await assert.rejects(source.read(), { message: /are larger than 8 MiB$/, usage: true });
  for (let i = 0; i <= 1000; i++) await write(folder, { [`d/${i}`]: "" });
  await assert.rejects(source.read(), { message: /include: names 1001 files; at most 1000/ });
});

Deno.test("read() of a file puts variables into it and into what it includes, patterns too", async () => {
  await using temporary = new TemporaryFolder();
  const folder = temporary.path;
  await write(folder, { "a.toml": 'include = ["${X}.toml"]', "b.toml": "\n${X} ${Y}" });
  const prepare = withVariables((name) => name === "X" ? "b" : undefined);
  const base = await fileSource(`${folder}/a.toml`, new ManualClock(), { prepare }).read();
  assert.deepEqual(base.included!.map(({ text }) => text), ["\nb "]);
  assert.deepEqual(base.variables, [{ name: "X", value: "b" }, { name: "X", value: "b" }]);
  assert.match(printProblem(base.warnings![0]!), /b\.toml:2: the variable "Y" is not set/);
});

Deno.test("read() of a file doesn't say the value of a variable in a pattern", async () => {
  await using temporary = new TemporaryFolder();
  const folder = temporary.path;
  await write(folder, { "a.toml": 'include = ["${X}.toml"]' });
  const prepare = withVariables(() => "hunter2");
  const source = fileSource(`${folder}/a.toml`, new ManualClock(), { prepare });
  await assert.rejects(source.read(), (error) => {
    assert.match((error as Error).message, /"\$\{X\}\.toml" can't be included/);
    return !(error as Error).message.includes("hunter2");
  });
});

Deno.test("standard input isn't watched", () => {
  assert.equal(fileSource("-", new ManualClock()).watch, undefined);
});
