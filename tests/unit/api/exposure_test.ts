import assert from "node:assert/strict";
import { exposures } from "../../../api/exposure.ts";

const READS = "the API has no login and other hosts reach it: they may read; " +
  'set api.basic_auth, or bind = "127.0.0.1:PORT"';
const PAGES = "the API has no login and api.cors is on: pages of every web site may use it; " +
  "set api.basic_auth";
const basicAuth = { login: "a", password: "b" };

Deno.test.each([
  { hostname: "127.0.0.1", cors: false, found: [] },
  { hostname: "::1", cors: false, found: [] },
  { hostname: "0.0.0.0", cors: false, found: [READS] },
  { hostname: "::", cors: true, found: [READS, PAGES] },
  { hostname: "127.0.0.1", cors: true, found: [PAGES] },
])(
  "exposures() of $hostname, cors $cors, with and without a login",
  ({ hostname, cors, found }) => {
    const spec = { bind: { hostname, port: 1, text: "" }, cors, allow: [] };
    assert.deepEqual(exposures(spec), found);
    assert.deepEqual(exposures({ ...spec, basicAuth }), []);
  },
);
