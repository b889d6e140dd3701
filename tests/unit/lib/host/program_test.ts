import assert from "node:assert/strict";
import {
  LeftBehindError,
  MAX_OUTPUT_BYTES,
  onceLeft,
  runProgram,
} from "../../../../lib/host/program.ts";
import { endSessions } from "../../../../lib/host/sessions.ts";
import { until } from "../../../support/backends.ts";
import { isRoot, works } from "../../../support/host.ts";
import { shell } from "../../../support/process.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

const never = new AbortController().signal;
const sh = (script: string, signal = never) => runProgram(["sh", "-c", script], signal);

/** A word that no other process has among its arguments. */
function mark(): string {
  return `mark-${crypto.randomUUID()}`;
}

/** Processes with this word among their arguments. */
async function marked(word: string): Promise<string> {
  return await shell(
    `grep -alz -- "${word.slice(0, 8)}[${word[8]}]${word.slice(9)}" ` +
      `/proc/[0-9]*/cmdline 2>/dev/null | while read f; do tr '\\0' ' ' < "$f"; done`,
  );
}

async function nobodyLeft(word: string): Promise<void> {
  await until(async () => await marked(word) === "", 5_000, `the end of ${word}`);
}

Deno.test("runProgram() gives output, error output and exit code", async () => {
  const ran = await sh("echo out; echo err >&2; exit 3");
  assert.deepEqual(ran, { code: 3, ended: undefined, stdout: "out\n", stderr: "err\n" });
  assert.deepEqual(await runProgram(["true"], never), {
    ...{ code: 0, ended: undefined, stdout: "", stderr: "" },
  });
});

Deno.test("runProgram() uses no shell: arguments arrive as they are", async () => {
  const odd = ["$HOME; echo no", "a b", "", '"', "*", "`id`"];
  const { stdout } = await runProgram(["printf", "%s\\n", ...odd], never);
  assert.deepEqual(stdout.split("\n"), [...odd, ""]);
});

Deno.test("runProgram() gives a child no input and little environment", async () => {
  Deno.env.set("TWIXT_TEST_SECRET", "s3cret");
  try {
    const { stdout } = await sh("cat; env");
    assert.doesNotMatch(stdout, /s3cret/);
    assert.match(stdout, /^PATH=/m);
  } finally {
    Deno.env.delete("TWIXT_TEST_SECRET");
  }
});

Deno.test("runProgram() says which signal ended a program", async () => {
  const { code, ended } = await sh("kill -SEGV $$");
  assert.deepEqual([code, ended], [undefined, "SIGSEGV"]);
});

Deno.test("runProgram() says what can't be run, and why", async () => {
  await using folder = new TemporaryFolder();
  const path = `${folder.path}/program`;
  await Deno.writeTextFile(path, "no program");
  await assert.rejects(runProgram(["/nowhere/it"], never), {
    message: /there is no program \/now/,
  });
  await assert.rejects(runProgram([path], never), { message: /program can't be run: / });
  await assert.rejects(runProgram([folder.path], never), { message: /can't be run: / });
  await assert.rejects(runProgram([], never), { message: "there is no program to run" });
});

Deno.test("runProgram() kills a program that hangs, with all that it has started", async () => {
  const word = mark();
  const stop = new AbortController();
  const forks = `sh -c 'sleep 600; : ${word}' & sh -c 'trap "" TERM INT HUP; sleep 601; : ${word}'`;
  const ran = sh(`${forks} & while :; do sleep 602; done; : ${word}`, stop.signal);
  await until(async () => (await marked(word)).split("sleep 60").length >= 4);
  stop.abort();
  await assert.rejects(ran, { message: "sh was killed: it took too long" });
  await nobodyLeft(word);
});

Deno.test("endSessions() kills who has left the group, but not the session, as timeout does", {
  sanitizeOps: false, // it looks through the processes by itself
  sanitizeResources: false,
}, async () => {
  const run = endSessions(runProgram);
  const words = Array.from({ length: 5 }, mark);
  const stop = new AbortController();
  const ran = words.map((word) => {
    const script = `timeout 600 sh -c 'sleep 600; : ${word}'; : ${word}`;
    return run(["sh", "-c", script], stop.signal);
  });
  const other = mark();
  const bystander = new Deno.Command("sh", { args: ["-c", `sleep 600; : ${other}`] }).spawn();
  for (const word of words) await until(async () => (await marked(word)).includes("timeout"));
  stop.abort();
  for (const { status } of await Promise.allSettled(ran)) assert.equal(status, "rejected");
  for (const word of words) await nobodyLeft(word);
  assert((await marked(other)).includes(other));
  await shell(`pkill -P ${bystander.pid}`);
  await bystander.status;
});

Deno.test("runProgram() kills a program that forks without end", async () => {
  const word = mark();
  const stop = new AbortController();
  const script =
    `n=0; while [ $n -lt 300 ]; do sh -c 'sleep 600; : ${word}' & n=$((n+1)); done; wait`;
  const ran = sh(script, stop.signal);
  await until(async () => await marked(word) !== "");
  stop.abort(); // in the middle of it
  await assert.rejects(ran);
  await nobodyLeft(word);
});

Deno.test("runProgram() leaves nothing of a program that ends before its children", async () => {
  const word = mark();
  const { code, stdout } = await sh(`sh -c 'sleep 600; : ${word}' & echo done`);
  assert.deepEqual([code, stdout], [0, "done\n"]);
  await nobodyLeft(word);
});

Deno.test("runProgram() doesn't wait for a child that has left the group and holds the output", async () => {
  const word = mark();
  const since = performance.now();
  const { stdout } = await sh(`setsid sh -c 'sleep 5; : ${word}' & sleep 0.3; echo done`);
  assert.equal(stdout, "done\n");
  assert(performance.now() - since < 3_000);
});

Deno.test("runProgram() ends one that prints a GiB, and keeps no more than the limit", async () => {
  const word = mark();
  const { code, ended, stdout } = await sh(`: ${word}; head -c 1073741824 /dev/zero | tr '\\0' x`);
  assert.equal(code, undefined);
  assert.equal(ended, `it said more than ${MAX_OUTPUT_BYTES} bytes`);
  assert.equal(stdout.length, MAX_OUTPUT_BYTES);
  await nobodyLeft(word);
});

Deno.test("runProgram() takes output up to the limit, and a lot of error output", async () => {
  const { code, stdout, stderr } = await sh(
    `head -c ${MAX_OUTPUT_BYTES} /dev/zero; head -c 50000000 /dev/zero >&2`,
  );
  assert.deepEqual([code, stdout.length, stderr.length], [0, MAX_OUTPUT_BYTES, 4096]);
});

Deno.test("runProgram() starts nothing when it has been told to stop", async () => {
  await using folder = new TemporaryFolder();
  const path = `${folder.path}/touched`;
  await assert.rejects(runProgram(["touch", path], AbortSignal.abort()));
  await assert.rejects(Deno.stat(path));
});

Deno.test("runProgram() runs a hundred at a time, each with its own output", async () => {
  const all = await Promise.all(Array.from({ length: 100 }, (_, i) => sh(`echo ${i}`)));
  assert.deepEqual(all.map(({ stdout }) => stdout), all.map((_, i) => `${i}\n`));
});

Deno.test("onceLeft() runs nothing again while processes that can't be killed are there", async () => {
  await using folder = new TemporaryFolder();
  let runs = 0;
  const sleeper = new Deno.Command("sleep", { args: ["600"], detached: true }).spawn();
  const run = onceLeft(() => {
    runs++;
    return Promise.reject(new LeftBehindError("sh", sleeper.pid, new Error("EPERM")));
  });
  const why =
    /^sh has left processes that can't be killed \(EPERM\): end them with kill -9 -- -\d+/;
  for (let i = 0; i < 3; i++) {
    await assert.rejects(run(["sh", folder.path], never), { message: why });
  }
  assert.equal(runs, 1);
  await assert.rejects(run(["sh", "another"], never), { message: why });
  assert.equal(runs, 2, "another command is another matter");
  sleeper.kill("SIGKILL");
  await sleeper.status;
  await assert.rejects(run(["sh", folder.path], never), { message: why });
  assert.equal(runs, 3, "they have ended");
});

/** Runs what is in `$SCRIPT` as root without the right to kill others' processes. */
const WEAK = "setpriv --bounding-set=-kill --inh-caps=-kill";

Deno.test("runProgram() says so when a program runs as somebody else and can't be killed", {
  ignore: !isRoot || !works(`${WEAK} true`),
}, async () => {
  const module = new URL("../../../../lib/host/program.ts", import.meta.url).href;
  const script = `import { runProgram } from "${module}";
    const argv = ["setpriv", "--reuid=65534", "--clear-groups", "sleep", "4"];
    await runProgram(argv, AbortSignal.timeout(300)).catch(({ name, message }) =>
      console.log(name, Math.round(performance.now()), message));`;
  await using folder = new TemporaryFolder();
  await Deno.writeTextFile(`${folder.path}/it.ts`, script);
  const deno =
    `${Deno.execPath()} run --no-config --no-lock --no-check --allow-run --allow-env --allow-read`;
  const said = await shell(`${WEAK} ${deno} ${folder.path}/it.ts`);
  assert.match(said, /^Error \d+ setpriv has left processes that can't be killed \(EPERM: /);
  assert(Number(said.split(" ")[1]) < 3_000, "it didn't wait for its end");
});

Deno.test("runProgram() gives a program its input, and lets one that is trusted say more", async () => {
  const input = "x".repeat(MAX_OUTPUT_BYTES + 1);
  const ran = await runProgram(["cat"], never, { input, maxOutputBytes: 2 * MAX_OUTPUT_BYTES });
  assert.deepEqual([ran.code, ran.stdout === input], [0, true]);
  const deaf = await runProgram(["true"], never, { input });
  assert.equal(deaf.code, 0);
});
