import assert from "node:assert/strict";
import { exec, failureOf } from "../../../discovery/exec.ts";
import { runProgram } from "../../../lib/host/program.ts";
import { backendKey } from "../../../lib/model.ts";

const context = { signal: new AbortController().signal, run: runProgram, skip: () => {} };
const ask = async (script: string, exec_format?: "lines" | "text" | "json") => {
  const options = { exec_command: ["sh", "-c", script], ...exec_format ? { exec_format } : {} };
  return (await exec.find(options, context)).map(backendKey);
};

Deno.test("exec takes what a program prints, in each of its formats", async () => {
  assert.deepEqual(await ask("echo; echo 10.0.0.1:80; echo nonsense"), ["10.0.0.1:80"]);
  assert.deepEqual(await ask("echo 10.0.0.1 80 2 3; echo ::1 81", "text"), [
    "10.0.0.1:80",
    "[::1]:81",
  ]);
  assert.deepEqual(
    await ask(`echo '{"hosts":[{"addr":{"host":"10.0.0.1","port":80}}]}'`, "json"),
    ["10.0.0.1:80"],
  );
  assert.deepEqual(await ask("true"), []);
});

Deno.test.each([
  {
    script: "echo a:1; echo 'no backends' >&2; echo more >&2; exit 3",
    why: "sh ended with code 3: no backends",
  },
  { script: "echo a:1; kill -KILL $$", why: "sh was ended by SIGKILL" },
  { script: "head -c 5000000 /dev/zero", why: "sh said too much: it said more than 1048576 bytes" },
  { script: "printf '\\n\\033[2Jx\\n' >&2; exit 1", why: "sh ended with code 1: \\x1b[2Jx" },
])("exec fails where a program does: $why", async ({ script, why }) => {
  await assert.rejects(ask(script), { name: "DiscoveryError", message: why });
});

Deno.test("exec fails where there is no such program", async () => {
  await assert.rejects(exec.find({ exec_command: ["/nowhere/it"] }, context), {
    name: "DiscoveryError",
    message: "there is no program /nowhere/it",
  });
});

Deno.test("failureOf() takes little of what a program says about itself", () => {
  const stderr = `${"x".repeat(1000)}\nsecond`;
  const text = failureOf("p", { code: 1, ended: undefined, stdout: "", stderr });
  assert.equal(text, `p ended with code 1: ${"x".repeat(200)}`);
});

Deno.test("exec's commands are its command", () => {
  assert.deepEqual(exec.commands!({ exec_command: ["a", "b"] }), [["a", "b"]]);
});
