import assert from "node:assert/strict";
import fc from "fast-check";
import { backendOf, parseFact } from "../../../lib/backend_fields.ts";
import { parseBackendLine } from "../../../lib/backend_line.ts";

const USUAL = { weight: 1, priority: 1, maxConnections: 0, sni: "" };

Deno.test.each([
  { fields: { host: "a", port: 80 }, backend: { host: "a", port: 80, ...USUAL } },
  { fields: { host: "::1", port: "80" }, backend: { host: "::1", port: 80, ...USUAL } },
  { fields: { host: "[::1]", port: "80" }, backend: { host: "::1", port: 80, ...USUAL } },
  {
    fields: { host: "a", port: 80, weight: 2.9, priority: "3", maxConnections: 0, sni: "x" },
    backend: { host: "a", port: 80, weight: 2, priority: 3, maxConnections: 0, sni: "x" },
  },
  {
    fields: { host: "a", port: 80, weight: null, priority: "", sni: null },
    backend: { host: "a", port: 80, ...USUAL },
  },
])("backendOf() takes $fields", ({ fields, backend }) => {
  assert.deepEqual(backendOf(fields), backend);
});

Deno.test.each([
  { fields: { host: undefined, port: 80 }, why: "it has no host" },
  { fields: { host: "", port: 80 }, why: "it has no host" },
  { fields: { host: 7, port: 80 }, why: "its host 7 is not a string" },
  { fields: { host: "a b", port: 80 }, why: 'its host "a b" is neither a name nor an address' },
  { fields: { host: "[a]", port: 80 }, why: 'its host "[a]" is neither a name nor an address' },
  { fields: { host: "300.1.1.1", port: 80 }, why: "neither a name nor an address" },
  { fields: { host: "a:b", port: 80 }, why: "neither a name nor an address" },
  { fields: { host: "a", port: undefined }, why: "it has no port" },
  { fields: { host: "a", port: 0 }, why: "its port 0 is not a number from 1 to 65535" },
  { fields: { host: "a", port: 80.5 }, why: "its port 80.5 is not a number from 1 to 65535" },
  { fields: { host: "a", port: "65536" }, why: "is not a number from 1 to 65535" },
  { fields: { host: "a", port: "0x50" }, why: "is not a number from 1 to 65535" },
  { fields: { host: "a", port: {} }, why: "its port of another type is not a number" },
  { fields: { host: "a", port: 80, weight: -1 }, why: "its weight -1 is not a number from 0 to" },
  { fields: { host: "a", port: 80, weight: 2 ** 31 }, why: "is not a number from 0 to" },
  { fields: { host: "a", port: 80, priority: true }, why: "its priority true is not a number" },
  {
    fields: { host: "a", port: 80, maxConnections: "many" },
    why: 'its max_connections "many" is not a number',
  },
  { fields: { host: "a", port: 80, sni: 3 }, why: "its sni 3 is not a string" },
])("backendOf() refuses $fields: $why", ({ fields, why }) => {
  const said = backendOf(fields);
  assert.ok(typeof said === "string" && said.includes(why), String(said));
});

Deno.test("backendOf() says the same of a host and a port as a line does", () => {
  const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain(), fc.string());
  fc.assert(fc.property(host, fc.integer({ min: -1, max: 70_000 }), (host, port) => {
    fc.pre(!/\s/.test(host) && !host.includes("://"));
    const bare = /^\[.*\]$/.test(host) ? host.slice(1, -1) : host;
    const line = parseBackendLine(bare.includes(":") ? `[${bare}]:${port}` : `${bare}:${port}`);
    const fields = backendOf({ host, port });
    if (typeof line === "string") assert.equal(typeof fields, "string");
    else if (bare === host || bare.includes(":")) assert.deepEqual(fields, line);
  }));
});

Deno.test.each([
  { text: "0", is: 0 },
  { text: "2147483647", is: 2147483647 },
  { text: "2147483648", is: undefined },
  { text: "-1", is: undefined },
  { text: "1.5", is: undefined },
  { text: "", is: undefined },
])('parseFact() of "$text" is $is', ({ text, is }) => {
  assert.equal(parseFact(text), is);
});
