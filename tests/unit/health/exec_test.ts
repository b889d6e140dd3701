import assert from "node:assert/strict";
import { argvFor, exec, verdict } from "../../../health/exec.ts";
import { checkOnce, checkSpec } from "../../support/checks.ts";
import { ConfigError } from "../../../lib/errors.ts";

const target = { host: "db.example", address: "10.0.0.1", port: 5432 };
const ran = { code: 0, ended: undefined, stdout: "", stderr: "" };
const keys = (positive = "", negative = "") => ({
  exec_command: "x",
  exec_expected_positive_output: positive,
  exec_expected_negative_output: negative,
});

Deno.test.each([
  { command: "/bin/a check", argv: ["/bin/a check", "db.example", "5432"] },
  { command: ["nc", "-z", "$host", "$port"], argv: ["nc", "-z", "db.example", "5432"] },
  {
    command: ["a", "tcp://$host:$port/$hosts?$port"],
    argv: ["a", "tcp://db.example:5432/$hosts?5432"],
  },
  { command: ["$host", "$HOME", "$$"], argv: ["$host", "$HOME", "$$"] },
])("exec runs $argv for $command", ({ command, argv }) => {
  assert.deepEqual(argvFor(target, command), argv);
});

Deno.test("exec names the address where the check is made elsewhere than at the backend", () => {
  assert.deepEqual(argvFor({ ...target, elsewhere: true }, "a"), ["a", "10.0.0.1", "5432"]);
});

Deno.test("exec tells which programs it would run", () => {
  assert.deepEqual(exec.commands!(keys()), [["x", "$host", "$port"]]);
  const command = ["nc", "$host"];
  assert.deepEqual(exec.commands!({ ...keys(), exec_command: command }), [command]);
});

Deno.test.each([
  { end: {}, expected: keys(), passed: true, text: "exit code 0" },
  { end: { code: 1 }, expected: keys(), passed: false, text: "exit code 1" },
  {
    end: { code: 2, stderr: "no route\nx" },
    expected: keys(),
    passed: false,
    text: 'exit code 2: "no route"',
  },
  { end: { stdout: "1\n" }, expected: keys("1", "0"), passed: true, text: 'it said "1"' },
  { end: { stdout: "1" }, expected: keys("1\n", "0"), passed: true, text: 'it said "1"' },
  { end: { stdout: "0\r\n" }, expected: keys("1", "0"), passed: false, text: 'it said "0"' },
  {
    end: { stdout: "1", code: 3 },
    expected: keys("1", "0"),
    passed: false,
    text: 'exit code 3: "1"',
  },
  { end: {}, expected: keys("1"), passed: false, text: 'it said ""' },
  { end: { stdout: "2" }, expected: keys("1"), passed: false, text: 'it said "2"' },
  { end: { stdout: "2" }, expected: keys("", "0"), passed: true, text: 'it said "2"' },
  { end: { stdout: "0" }, expected: keys("", "0"), passed: false, text: 'it said "0"' },
  { end: {}, expected: keys("", "0"), passed: true, text: 'it said ""' },
  {
    end: { code: undefined, ended: "SIGSEGV", stdout: "1" },
    expected: keys("1", "0"),
    passed: false,
    text: "the program was ended: SIGSEGV",
  },
])("exec: $end with $expected is $text", ({ end, expected, passed, text }) => {
  assert.deepEqual(verdict({ ...ran, ...end }, expected), { passed, text });
});

Deno.test.each([{ stdout: "1\n\n" }, { stdout: "maybe" }, { stdout: " 1" }])(
  "exec: $stdout is neither yes nor no",
  (end) => assert.equal(verdict({ ...ran, ...end }, keys("1", "0")).unclear, true),
);

Deno.test("exec runs the program, and fails where there is none or it takes too long", async () => {
  const check = (exec_command: unknown, limitMs?: number) =>
    checkOnce(target, { kind: "exec", exec_command }, limitMs);
  assert.deepEqual(
    await check(["sh", "-c", '[ "$1:$2" = db.example:5432 ]', "-", "$host", "$port"]),
    {
      passed: true,
      text: "exit code 0",
    },
  );
  assert.equal((await check("/no/such")).text, "there is no program /no/such");
  assert.match((await check(["sleep", "60"], 50)).text, /^sleep was killed: it took too long$/);
});

Deno.test.each([{ exec_command: "" }, { exec_command: [] }, { exec_command: 1 }, {}])(
  "a configuration with %o has no program to check with",
  (command) => assert.throws(() => checkSpec({ kind: "exec", ...command }), ConfigError),
);
