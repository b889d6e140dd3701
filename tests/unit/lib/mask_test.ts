import assert from "node:assert/strict";
import { isSecretKey, maskSecrets } from "../../../lib/mask.ts";

Deno.test.each([
  { key: "password", secret: true },
  { key: "Password", secret: true },
  { key: "consul_acl_token", secret: true },
  { key: "passphrase", secret: true },
  { key: "client_secret", secret: true },
  { key: "tokens", secret: true },
  { key: "api_key", secret: true },
  { key: "X-Api-Key", secret: true },
  { key: "Authorization", secret: true },
  { key: "key_path", secret: false },
  { key: "session_tickets", secret: false },
  { key: "key", secret: false },
  { key: "consul_key", secret: false },
  { key: "login", secret: false },
])("isSecretKey() says of $key: $secret", ({ key, secret }) => {
  assert.equal(isSecretKey(key), secret);
});

Deno.test.each([
  { value: { password: "x" }, masked: { password: "********" } },
  { value: { a: [{ token: "x", b: 1 }] }, masked: { a: [{ token: "********", b: 1 }] } },
  { value: { token: { a: "x" } }, masked: { token: "********" } },
  { value: { password: 1234 }, masked: { password: "********" } },
  { value: { password: "" }, masked: { password: "" } },
  { value: { password: null }, masked: { password: null } },
  { value: "http://user:pa@ss@host/x@y", masked: "http://user:********@host/x@y" },
  { value: "http://token@host:80/", masked: "http://********@host:80/" },
  { value: "https://:pass@host/", masked: "https://:********@host/" },
  { value: "https://h/l?sv=1&sig=x%2B", masked: "https://h/l?sv=1&sig=********" },
  { value: "http://host/?a=b@c:d", masked: "http://host/?a=b@c:d" },
  { value: "http://h/?a=1&token=x&b=2", masked: "http://h/?a=1&token=********&b=2" },
  { value: "allow 10.0.0.0/8", masked: "allow 10.0.0.0/8" },
  { value: 5, masked: 5 },
])("maskSecrets() of %j", ({ value, masked }) => {
  assert.deepEqual(maskSecrets<unknown>(value), masked);
});

Deno.test("maskSecrets() leaves what it was given as it was, and keeps the order of keys", () => {
  const given = { b: 1, password: "x", a: { token: "y" } };
  assert.equal(
    JSON.stringify(maskSecrets(given)),
    '{"b":1,"password":"********","a":{"token":"********"}}',
  );
  assert.equal(given.password, "x");
});
