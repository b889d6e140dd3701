import assert from "node:assert/strict";
import { jsonRowsOf, parseTextLine, rowsOf, USUAL_PATHS } from "../../../discovery/_rows.ts";
import { backendKey } from "../../../lib/model.ts";

/** What was skipped, and what takes it. */
function skips() {
  const skipped: string[] = [];
  return { skipped, skip: (entry: string, why: string) => void skipped.push(`${entry}: ${why}`) };
}

const usual = { paths: USUAL_PATHS, nested: true };

Deno.test("rowsOf() takes lines of any ending, skips bad ones with a reason, and no blank ones", () => {
  const { skipped, skip } = skips();
  const text =
    "\ufeff10.0.0.1:80\r\n\n  \n[::1]:81 weight=2 # second\n# nonsense\nnonsense\na:0\n10.0.0.2:82";
  assert.deepEqual(rowsOf(text, skip).map(backendKey), ["10.0.0.1:80", "[::1]:81", "10.0.0.2:82"]);
  assert.deepEqual(skipped, [
    'nonsense: "nonsense" has no port',
    'a:0: "a:0" has no valid port',
  ]);
});

Deno.test("an empty answer is an empty list, one without any backend is none", () => {
  const { skip } = skips();
  assert.deepEqual(rowsOf("", skip), []);
  assert.deepEqual(rowsOf(" \n\n", skip), []);
  assert.deepEqual(jsonRowsOf("[]", usual, skip), []);
  assert.deepEqual(jsonRowsOf('{"hosts":[]}', usual, skip), []);
  assert.throws(() => rowsOf("<html>\n<body>\x1b[2J\n", skip), {
    name: "DiscoveryError",
    message: /^none of 2 entries is a backend; the first is <html>: "<html>" has no port$/,
  });
  assert.throws(() => jsonRowsOf("[1,{}]", usual, skip), {
    message: "none of 2 entries is a backend; the first is [0]: it is not an object",
  });
});

Deno.test.each([
  { line: "10.0.0.1 80", key: "10.0.0.1:80", weight: 1, priority: 1 },
  { line: "a.test 80 5 2", key: "a.test:80", weight: 5, priority: 2 },
  { line: "::1 80", key: "[::1]:80", weight: 1, priority: 1 },
  { line: "a 80 7", key: "a:80", weight: 1, priority: 1 },
])("parseTextLine() takes $line", ({ line, key, weight, priority }) => {
  const backend = parseTextLine(line);
  assert.ok(typeof backend !== "string", String(backend));
  assert.deepEqual([backendKey(backend), backend.weight, backend.priority], [
    key,
    weight,
    priority,
  ]);
});

Deno.test("parseTextLine() says what is wrong with a line", () => {
  assert.equal(parseTextLine("a"), "it has no port");
  assert.equal(parseTextLine("a 80 1 1 1"), "it has more than four fields");
  assert.match(String(parseTextLine("a 80 x 1")), /^its weight "x" is not a number/);
  assert.match(String(parseTextLine("a:80 1")), /^its host "a:80" is neither/);
});

Deno.test("jsonRowsOf() takes gobetween's shape and awe4lb's, with or without hosts", () => {
  const { skipped, skip } = skips();
  const ours = '{"host":"10.0.0.1","port":"80","weight":3,"sni":"x","max_connections":9}';
  const theirs = '{"addr":{"host":"10.0.0.2","port":81},"weight":2,"priority":4,"state":"UP"}';
  for (const text of [`[${ours},${theirs}]`, `{"hosts":[${ours},${theirs}]}`]) {
    assert.deepEqual(jsonRowsOf(text, usual, skip), [
      { host: "10.0.0.1", port: 80, weight: 3, priority: 1, maxConnections: 9, sni: "x" },
      { host: "10.0.0.2", port: 81, weight: 2, priority: 4, maxConnections: 0, sni: "" },
    ]);
  }
  const keys = jsonRowsOf('[{"host":"::1","port":80},{"host":"a"},7]', usual, skip).map(backendKey);
  assert.deepEqual(keys, ["[::1]:80"]);
  assert.deepEqual(skipped, ["[1]: it has no port", "[2]: it is not an object"]);
});

Deno.test.each([
  { text: "<html>", message: /^the answer is not JSON: / },
  { text: "", message: /^the answer is not JSON: / },
  { text: "{}", message: "the answer is an object, not a list of backends" },
  { text: "null", message: "the answer is null, not a list of backends" },
  { text: '"x"', message: "the answer is a string, not a list of backends" },
  { text: '{"hosts":7}', message: "the answer is a number, not a list of backends" },
])("jsonRowsOf() refuses $text", ({ text, message }) => {
  assert.throws(() => jsonRowsOf(text, usual, () => {}), { name: "DiscoveryError", message });
});

Deno.test("jsonRowsOf() goes by the root path and says when nothing is there", () => {
  const root = ["data", 0, "list"];
  const text = '{"data":[{"list":[{"host":"a","port":1}]}]}';
  assert.deepEqual(jsonRowsOf(text, { ...usual, root }, () => {}).map(backendKey), ["a:1"]);
  assert.throws(() => jsonRowsOf("{}", { ...usual, root }, () => {}), {
    message: "the answer is nothing where json_root_path leads, not a list of backends",
  });
});
