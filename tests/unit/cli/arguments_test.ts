import assert from "node:assert/strict";
import { argumentsOf } from "../../../cli/arguments.ts";

Deno.test("argumentsOf() takes the command line where GOBETWEEN isn't set, or is empty", () => {
  for (const variable of [undefined, ""]) {
    assert.deepEqual(argumentsOf(["-c", "x"], variable, assert.fail), ["-c", "x"]);
  }
});

Deno.test("argumentsOf() takes the list of GOBETWEEN, and tells of it without its secrets", () => {
  const told: string[] = [];
  const list = [
    ...["from-url", "http://me:secret@x/a?token=secret", "-l", "a:secret", "--login=a:secret"],
    ...["-la:secret", "-f", "toml", "--login", "a:secret"],
  ];
  const got = argumentsOf([], JSON.stringify(list), (text) => told.push(text));
  assert.deepEqual(got, list);
  const shown = [
    ...["from-url", "http://me:********@x/a?token=********", "-l", "********"],
    ...["--login=********", "-l********", "-f", "toml", "--login", "********"],
  ];
  assert.deepEqual(told, [`arguments from the variable GOBETWEEN: ${JSON.stringify(shown)}`]);
});

Deno.test("argumentsOf() refuses GOBETWEEN together with arguments", () => {
  assert.throws(() => argumentsOf(["check"], "[]", assert.fail), {
    message: "there are arguments, and the variable GOBETWEEN is set, too",
    usage: true,
  });
});

Deno.test.each(["from-file x", '{"a": 1}', '"x"', "[1]", "null", '["a", null]'])(
  "argumentsOf() refuses GOBETWEEN=%s",
  (variable) => {
    assert.throws(() => argumentsOf([], variable, assert.fail), {
      message: "the variable GOBETWEEN is not a JSON array of strings",
      usage: true,
    });
  },
);
