import assert from "node:assert/strict";
import { callerKey, isLoopback } from "../../../api/client.ts";

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
