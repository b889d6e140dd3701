import assert from "node:assert/strict";
import { locator } from "../../../../lib/config/positions.ts";

const toml = `a.b = 1
[servers]
[servers.web]
Bind = ":1"
discovery = { kind = "x", static_list = [
  "one",
  "two" ] }
[[pools.p.discovery]]
kind = "y"
[[pools.p.discovery]]
kind = "z"
["servers"."a.b"]
bind = ":2"
`;

Deno.test.each([
  { path: ["a", "b"], line: 1, column: 1 },
  { path: ["servers"], line: 2, column: 1 },
  { path: ["servers", "web"], line: 3, column: 1 },
  { path: ["servers", "web", "bind"], line: 4, column: 1 },
  { path: ["servers", "web", "missing"], line: 3, column: 1 },
  { path: ["servers", "web", "discovery", "kind"], line: 5, column: 15 },
  { path: ["servers", "web", "discovery", "static_list", 1], line: 7, column: 3 },
  { path: ["pools", "p", "discovery", 1, "kind"], line: 11, column: 1 },
  { path: ["servers", "a.b", "bind"], line: 13, column: 1 },
])("locator() finds $path in TOML at $line:$column", ({ path, line, column }) => {
  assert.deepEqual(locator(toml, "toml")(path), { line, column });
});

const json = `{
  "servers": {
    "web": { "Bind": ":1",
      "discovery": [ { "kind": "x" } ] }
  }
}`;

Deno.test.each([
  { path: ["servers"], line: 2, column: 3 },
  { path: ["servers", "web", "bind"], line: 3, column: 14 },
  { path: ["servers", "web", "discovery", 0, "kind"], line: 4, column: 24 },
  { path: ["servers", "web", "discovery", 1], line: 4, column: 7 },
])("locator() finds $path in JSON at $line:$column", ({ path, line, column }) => {
  assert.deepEqual(locator(json, "json")(path), { line, column });
});

Deno.test("locator() knows no place for the whole text, or for a text that can't be read", () => {
  assert.equal(locator(toml, "toml")([]), undefined);
  assert.equal(locator("= =", "toml")(["a"]), undefined);
  assert.equal(locator("", "json")(["a"]), undefined);
});
