import assert from "node:assert/strict";
import { LoginThrottle } from "../../../api/login_throttle.ts";

const LIMITS = { failures: 3, windowMs: 1_000, callers: 2 };

Deno.test("LoginThrottle closes at the limit, until the window since the first failure is over", () => {
  const throttle = new LoginThrottle(LIMITS);
  assert.deepEqual([0, 100, 200].map((now) => throttle.failed("a", now)), [false, false, true]);
  assert.equal(throttle.waitMs("a", 300), 700);
  assert.equal(throttle.waitMs("a", 999), 1);
  assert.equal(throttle.waitMs("a", 1_000), 0);
  assert.equal(throttle.waitMs("b", 300), 0);
});

Deno.test("LoginThrottle starts anew after the window and after a login", () => {
  const throttle = new LoginThrottle(LIMITS);
  for (const now of [0, 1, 1_001, 1_002]) throttle.failed("a", now);
  assert.equal(throttle.waitMs("a", 1_002), 0);
  throttle.passed("a");
  throttle.failed("a", 1_003);
  assert.equal(throttle.waitMs("a", 1_003), 0);
});

Deno.test("LoginThrottle forgets the caller that failed longest ago when it is full", () => {
  const throttle = new LoginThrottle(LIMITS);
  for (const caller of ["a", "a", "b", "a", "c"]) throttle.failed(caller, 0);
  assert.equal(throttle.waitMs("a", 0), 1_000);
  for (const caller of ["b", "b"]) throttle.failed(caller, 0);
  assert.equal(throttle.waitMs("b", 0), 0, "its first failure was forgotten");
});
