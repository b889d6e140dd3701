import assert from "node:assert/strict";
import fc from "fast-check";
import { backendLines, parseBackendLine } from "../../../lib/backend_line.ts";

const plain = { host: "a", port: 80, weight: 1, priority: 1, maxConnections: 0, sni: "" };

Deno.test.each([
  { line: "a:80", backend: plain },
  { line: "  a:80\r", backend: plain },
  {
    line: "a:80 weight=40 priority=0 max_connections=10 sni=x.test",
    backend: { ...plain, weight: 40, priority: 0, maxConnections: 10, sni: "x.test" },
  },
  { line: "a:80 proxy=0", backend: { ...plain, proxy: 0 } },
  { line: "a:80 proxy=2 weight=1", backend: { ...plain, proxy: 2 } },
  { line: "a:80   sni=y\tweight=0", backend: { ...plain, weight: 0, sni: "y" } },
  { line: "[::1]:80", backend: { ...plain, host: "::1" } },
])("parseBackendLine() reads $line", ({ line, backend }) => {
  assert.deepEqual(parseBackendLine(line), backend);
});

Deno.test.each([
  { line: " ", error: "an empty line is not a backend\nwrite host:port" },
  { line: ":80", error: '":80" has no host\nwrite host:port, for example "localhost:80"' },
  { line: "a:0", error: '"a:0" has no valid port\nwrite host:port with a port from 1 to 65535' },
  { line: "::1:80", error: '"::1:80" has an IPv6 address without brackets\nwrite [::1]:80' },
  {
    line: "a:80 weigth=3",
    error: '"weigth=3" is not an option of a backend\n' +
      "One of weight=, priority=, max_connections=, sni=, proxy=",
  },
  {
    line: "a:80 weight",
    error: '"weight" is not an option of a backend\n' +
      "One of weight=, priority=, max_connections=, sni=, proxy=",
  },
  {
    line: "a:80 weight=-1",
    error: '"weight=-1" has no valid value\nweight is a whole number from 0 to 2147483647',
  },
  {
    line: "a:80 priority=99999999999",
    error: '"priority=99999999999" has no valid value\n' +
      "priority is a whole number from 0 to 2147483647",
  },
  {
    line: "a:80 proxy=3",
    error:
      '"proxy=3" has no valid value\nwrite the version of the PROXY header, 1 or 2, or 0 for none',
  },
  { line: "a:80 sni=", error: '"sni=" has no valid value\nwrite sni=NAME' },
  { line: "a:80 weight=1 weight=2", error: '"weight=2" says weight a second time' },
])("parseBackendLine() says what is wrong with $line", ({ line, error }) => {
  assert.equal(parseBackendLine(line), error);
});

Deno.test("parseBackendLine() reads options in any order", () => {
  const options = ["weight=2", "priority=3", "max_connections=4", "sni=x"];
  const wanted = { ...plain, weight: 2, priority: 3, maxConnections: 4, sni: "x" };
  fc.assert(fc.property(fc.shuffledSubarray(options, { minLength: 4 }), (shuffled) => {
    assert.deepEqual(parseBackendLine(["a:80", ...shuffled].join("  ")), wanted);
  }));
});

Deno.test("parseBackendLine() answers a backend or a text for any line", () => {
  fc.assert(fc.property(fc.string({ maxLength: 60 }), (line) => {
    const parsed = parseBackendLine(line);
    assert.ok(typeof parsed === "string" ? parsed !== "" : parsed.host !== "" && parsed.port > 0);
  }));
});

Deno.test("backendLines reports a bad line at its index, and takes an empty list", () => {
  assert.deepEqual(backendLines.parse([]), []);
  const { error } = backendLines.safeParse(["a:80", "b"]);
  assert.deepEqual(error?.issues.map(({ path }) => path), [[1]]);
});
