import assert from "node:assert/strict";
import fc from "fast-check";
import { conceal, substitute } from "../../../../lib/config/variables.ts";
import { loadConfig } from "../../../../lib/config/load.ts";
import { ConfigError, printProblem } from "../../../../lib/errors.ts";
import { kinds } from "../../../support/kinds.ts";

const environment: Readonly<Record<string, string>> = {
  NAME: "web",
  EMPTY: "",
  "A:-b": "odd",
  "two words": "2",
  PASSWORD: "Hunter2-correct-horse",
};

function put(text: string) {
  return substitute(
    { text, file: "x.toml", format: "toml" },
    (name) => Object.hasOwn(environment, name) ? environment[name] : undefined,
  );
}

Deno.test.each([
  { text: "a ${NAME} b ${NAME}", after: "a web b web" },
  { text: "# ${NAME}", after: "# web" },
  { text: "${two words}", after: "2" },
  { text: "${NAME:-other}", after: "web" },
  { text: "${NONE:-other}", after: "other" },
  { text: "${EMPTY:-other}", after: "other" },
  { text: "${EMPTY}", after: "" },
  { text: "${NONE:-}", after: "" },
  { text: "${NONE:-a:-b}", after: "a:-b" },
  { text: "${NONE:-${NAME}}", after: "${NAME}" },
  { text: "$${NAME}", after: "${NAME}" },
  { text: "$$${NAME}", after: "$${NAME}" },
  { text: "$NAME $ { } ${NAME", after: "$NAME $ { } ${NAME" },
  { text: "${NA\nME}", after: "${NA\nME}" },
])("substitute() makes $after of $text", ({ text, after }) => {
  const { text: got, warnings } = put(text);
  assert.equal(got, after);
  assert.deepEqual(warnings, []);
});

Deno.test("substitute() puts nothing for a variable that isn't set, and warns with its line", () => {
  const { text, warnings } = put('a = 1\nb = "${NONE}"\n${}');
  assert.equal(text, 'a = 1\nb = ""\n');
  assert.deepEqual(warnings.map(printProblem), [
    'x.toml:2: the variable "NONE" is not set, so ${NONE} is empty\n' +
    "       set it, or give a default: ${NONE:-default}; $${ is a ${ that stays",
    'x.toml:3: the variable "" is not set, so ${} is empty\n' +
    "       set it, or give a default: ${:-default}; $${ is a ${ that stays",
  ]);
});

Deno.test("substitute() leaves a text without ${ as it is, whatever it is", () => {
  fc.assert(fc.property(fc.string(), (text) => {
    fc.pre(!text.includes("${"));
    assert.equal(put(text).text, text);
  }));
});

Deno.test("substitute() keeps every line where it was while values are one line long", () => {
  const piece = fc.oneof(
    fc.constantFrom("${NAME}", "${NONE}", "$${", "\n", "${NONE:-x}"),
    fc.string(),
  );
  fc.assert(fc.property(fc.array(piece), (pieces) => {
    const text = pieces.join("");
    assert.equal(put(text).text.split("\n").length, text.split("\n").length);
  }));
});

function problemsOf(text: string): string {
  const { text: after, variables, warnings } = put(text);
  const options = { file: "x.toml", format: "toml", kinds, variables, warnings } as const;
  try {
    loadConfig(after, options);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return [...error.warnings, ...error.problems].map(printProblem).join("\n");
  }
  assert.fail("it loads");
}

Deno.test.each([
  'max_sessions = "${PASSWORD}"',
  'watchdog = "${PASSWORD}"',
  '[logging]\nlevel = "${PASSWORD}"',
  '[servers."a"]\nbind = "${PASSWORD}"',
  "[servers.a]\nbind = 'x${PASSWORD}\"y'",
  '[servers.a]\nbind = "' + "x".repeat(60) + '${PASSWORD}"',
  '[servers.a.access]\nrules = ["allow ${PASSWORD}"]',
  '[servers.a]\nbalance = "${PASSWORD}"\nbind = ":0"\n[servers.a.discovery]\nkind = "${PASSWORD}"',
  "x = ${PASSWORD}",
])("what is wrong with %j is told without the variable's value", (text) => {
  const told = problemsOf(text);
  assert.match(told, /^x\.toml:\d+: /);
  assert.doesNotMatch(told, /hunter|correct|horse/i);
});

Deno.test("a variable that isn't set is told beside the errors that it leads to", () => {
  assert.match(
    problemsOf('[servers.a]\nbind = "${NONE}"'),
    /^x\.toml:2: the variable "NONE" is not set[^]*\nx\.toml:2: servers\.a\.bind: is empty/,
  );
});

Deno.test("conceal() leaves short words alone unless they stand in quotes as a value", () => {
  const problem = { path: [], message: '"no" is not known', hint: "no other" };
  assert.deepEqual(conceal(problem, [{ name: "X", value: "no" }]), {
    path: [],
    message: '"${X}" is not known',
    hint: "no other",
  });
});
