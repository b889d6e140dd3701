import assert from "node:assert/strict";
import { isFixedHost, isOwnOrigin } from "../../../api/origin.ts";

Deno.test.each([
  { origin: "http://lb:8888", host: "lb:8888", own: true },
  { origin: "https://lb", host: "LB", own: true },
  { origin: "https://lb", host: "lb:443", own: true },
  { origin: "http://[::1]:1", host: "[0::1]:1", own: true },
  { origin: "http://lb:8888", host: "lb", own: false },
  { origin: "http://lb", host: "lb:8888", own: false },
  { origin: "http://lb.evil", host: "lb", own: false },
  { origin: "null", host: "lb", own: false },
  { origin: "null", host: "null", own: false },
  { origin: "file://", host: "", own: false },
  { origin: "http://lb", host: undefined, own: false },
  { origin: "http://lb", host: "%%%", own: false },
  { origin: "", host: "", own: false },
])("isOwnOrigin() of $origin at $host is $own", ({ origin, host, own }) => {
  assert.equal(isOwnOrigin(origin, host), own);
});

Deno.test.each([
  { origin: "http://localhost:8888", fixed: true },
  { origin: "http://a.localhost", fixed: true },
  { origin: "http://127.0.0.1:8888", fixed: true },
  { origin: "http://[::1]:8888", fixed: true },
  { origin: "http://lb", fixed: false },
  { origin: "http://localhost.evil", fixed: false },
  { origin: "http://127.0.0.1.evil", fixed: false },
  { origin: "null", fixed: false },
])("isFixedHost() of $origin is $fixed", ({ origin, fixed }) => {
  assert.equal(isFixedHost(origin), fixed);
});
