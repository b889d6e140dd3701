/** `plaintext` and `json`: what both find at a web server. */
import assert from "node:assert/strict";
import { z } from "zod";
import { json, type JsonOptions, rows } from "../../../discovery/json.ts";
import { lineParser, plaintext } from "../../../discovery/plaintext.ts";
import { runProgram } from "../../../lib/host/program.ts";
import { backendKey } from "../../../lib/model.ts";
import { pem } from "../../support/api.ts";
import { fromFileUrl } from "../../support/paths.ts";
import { WebServer } from "../../support/web_server.ts";

const context = { signal: new AbortController().signal, run: runProgram, skip: () => {} };

Deno.test("plaintext takes a line's facts out of the groups of a pattern", () => {
  const parse = lineParser(
    "^(?P<port>\\d+)@(?P<host>[^ ]+)(?: w(?P<weight>\\d+))?(?: p(?P<priority>\\d+))?" +
      "(?: n(?P<sni>\\S+))?(?: m(?P<max_connections>\\d+))?$",
  );
  const usual = { weight: 1, priority: 1, maxConnections: 0, sni: "" };
  assert.deepEqual(parse("80@a.test\r"), { host: "a.test", port: 80, ...usual });
  assert.deepEqual(parse("80@[::1] w2 p3 nx m4"), {
    ...{ host: "::1", port: 80, weight: 2, priority: 3, sni: "x", maxConnections: 4 },
  });
  assert.equal(parse("a.test:80"), "the pattern doesn't match");
  assert.match(String(parse("99999@a.test")), /^its port "99999" is not a number from 1 to 65535/);
});

Deno.test("plaintext asks with http, json with https and a certificate of its own authority", async () => {
  await using plain = new WebServer(() => new Response("10.0.0.1:80 weight=2\n<sorry>\n"));
  const lines = await plaintext.find(
    { plaintext_endpoint: `http://${plain.address}/` },
    context,
  );
  assert.deepEqual(lines.map(backendKey), ["10.0.0.1:80"]);
  const tls = { cert: await pem("cert"), key: await pem("key") };
  await using secure = new WebServer(() => Response.json([{ host: "::1", port: "81" }]), tls);
  const json_tls_cacert_path = fromFileUrl(new URL("../../fixtures/api/ca.pem", import.meta.url));
  const options = { json_endpoint: `https://${secure.address}/`, json_tls_cacert_path };
  assert.deepEqual((await json.find(options, context)).map(backendKey), ["[::1]:81"]);
});

Deno.test("json goes by gobetween's paths, and by awe4lb's shape where these are the usual ones", () => {
  const json_endpoint = "http://x/";
  const own: JsonOptions = {
    json_endpoint,
    json_root_path: "services",
    json_host_pattern: "address.host",
    json_port_pattern: "ports[0]",
    json_weight_pattern: "",
  };
  const { paths, root, nested } = rows(own);
  assert.deepEqual([root, nested], [["services"], false]);
  assert.deepEqual(paths.host, ["address", "host"]);
  assert.deepEqual(paths.port, ["ports", 0]);
  assert.deepEqual(paths.weight, ["weight"]);
  assert.equal(rows({ json_endpoint }).nested, true);
  assert.equal(rows({ json_endpoint, json_host_pattern: "host" }).nested, true);
});

Deno.test("json and plaintext refuse bad endpoints, paths and patterns in the configuration", () => {
  const issue = (shape: z.ZodRawShape, options: object) =>
    z.object(shape).safeParse(options).error?.issues[0]?.message;
  assert.match(issue(json.shape, { json_endpoint: "unix:///x" })!, /is not a URL of http or https/);
  assert.equal(
    issue(json.shape, { json_endpoint: "ftp://me:pass@x/" })!.split("\n")[0],
    '"ftp://me:********@x/" is not a URL of http or https',
  );
  const good = { json_endpoint: "http://x/" };
  assert.match(issue(json.shape, { ...good, json_root_path: "a..b" })!, /"a\.\.b" is not a path/);
  assert.match(
    issue(plaintext.shape, { plaintext_endpoint: "http://x/", plaintext_regex_pattern: "(" })!,
    /"\(" is not a pattern/,
  );
});

Deno.test("plaintext tries no pattern on a line that is too long", () => {
  const parse = lineParser("(?P<host>.*):(?P<port>[0-9]+)");
  assert.equal(parse("a".repeat(16_385)), "it is longer than a pattern is tried on");
});
