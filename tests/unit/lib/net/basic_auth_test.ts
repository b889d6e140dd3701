import assert from "node:assert/strict";
import { basicAuth, loginOf } from "../../../../lib/net/basic_auth.ts";

Deno.test("basicAuth() is RFC 7617's, also beyond ASCII", () => {
  assert.equal(basicAuth("Aladdin:open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  assert.equal(basicAuth("test:123£"), "Basic dGVzdDoxMjPCow=="); // section 2.1
});

Deno.test("loginOf() decodes what a URL encodes", () => {
  assert.equal(loginOf(new URL("http://h/")), undefined);
  assert.equal(loginOf(new URL("http://a%3Ab:c%40d@h/")), basicAuth("a:b:c@d"));
  assert.equal(loginOf(new URL("http://token@h/")), basicAuth("token:"));
  assert.equal(loginOf(new URL("http://a%zz:b@h/")), basicAuth("a%zz:b"));
});
