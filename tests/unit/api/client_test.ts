import assert from "node:assert/strict";
import { callerKey, isLoopback } from "../../../api/client.ts";
import { isFixedHost, isOwnOrigin } from "../../../api/origin.ts";

Deno.test.each([
  { ip: "127.0.0.1", loopback: true, key: "127.0.0.1" },
  { ip: "127.9.9.9", loopback: true, key: "127.9.9.9" },
  { ip: "::1", loopback: true, key: "0:0" },
  { ip: "::ffff:127.0.0.1", loopback: true, key: "127.0.0.1" },
  { ip: "10.0.0.1", loopback: false, key: "10.0.0.1" },
  { ip: "::ffff:10.0.0.1", loopback: false, key: "10.0.0.1" },
  { ip: "2001:db8:1:2:3::4", loopback: false, key: "20010db8:10002" },
  { ip: "", loopback: false, key: "" },
])("isLoopback() and callerKey() of $ip", ({ ip, loopback, key }) => {
  assert.equal(isLoopback(ip), loopback);
  assert.equal(callerKey(ip), key);
});

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
