import { Buffer } from "node:buffer";
import { createHash, timingSafeEqual } from "node:crypto";
import { unmap } from "../lib/address.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { callerKey, isLoopback } from "./client.ts";
import { isRead, type Middleware } from "./env.ts";
import { ApiError } from "./errors.ts";
import { isFixedHost } from "./origin.ts";
import { LoginThrottle } from "./login_throttle.ts";

/** The one account of the API. */
export type Credentials = { readonly login: string; readonly password: string };

/**
 * Lets nobody pass without the account's credentials (basic authentication). A caller with too many failed logins is
 * answered 429 whatever it sends; a request without credentials is no failed login.
 */
export function requireLogin(
  credentials: Credentials,
  clock: Clock,
  log: Log,
  throttle: LoginThrottle = new LoginThrottle(),
): Middleware {
  const expected = digest(Buffer.from(`${credentials.login}:${credentials.password}`));
  return async (c, next) => {
    const given = c.req.header("authorization");
    if (given === undefined) throw unauthorized("this needs a login");
    const caller = callerKey(c.env.client);
    const waitMs = throttle.waitMs(caller, clock.now());
    if (waitMs > 0) throw tooManyFailures(waitMs);
    if (!timingSafeEqual(digest(basicCredentials(given)), expected)) {
      const closed = throttle.failed(caller, clock.now());
      if (closed) log.warning("too many failed logins; refused for a while", { client: caller });
      throw unauthorized("login or password is wrong");
    }
    throttle.passed(caller);
    await next();
  };
}

/** Where there are no credentials, callers from other hosts only read, unless `isAllowed` says else. */
export function readOnlyForOthers(
  isAllowed: (ip: string) => boolean,
): Middleware {
  return async (c, next) => {
    const { client } = c.env;
    const host = c.req.header("host");
    // a site can point its own name at this host: its pages would read with the user's browser
    if (isRead(c.req.method) && isLoopback(client) && isForeignName(host)) {
      throw new ApiError(403, `"${host}" is not how this API is called from its own host`, {
        hint: "call it by an address or as localhost, or set api.basic_auth",
      });
    }
    if (!isRead(c.req.method) && !isLoopback(client) && !isAllowed(client)) {
      throw new ApiError(403, `${unmap(client)} may only read: the API has no login`, {
        hint: `set api.basic_auth, or let it write with api.allow = ["CIDR"]`,
      });
    }
    await next();
  };
}

/** Is this a host's name that anybody could point at us? */
function isForeignName(host: string | undefined): boolean {
  return host !== undefined && URL.canParse(`http://${host}`) && !isFixedHost(`http://${host}`);
}

/** The bytes of `login:password`; empty for another scheme. */
function basicCredentials(header: string): Buffer {
  const [scheme = "", token = ""] = header.trim().split(/\s+/);
  return Buffer.from(scheme.toLowerCase() === "basic" ? token : "", "base64");
}

/** Digests have one length, so comparing them tells nothing about what was compared. */
function digest(bytes: Buffer): Buffer {
  return createHash("sha256").update(bytes).digest();
}

function unauthorized(message: string): ApiError {
  return new ApiError(401, message, {
    hint: "send the login and password of api.basic_auth",
    headers: { "WWW-Authenticate": 'Basic realm="Authorization Required"' },
  });
}

function tooManyFailures(waitMs: number): ApiError {
  const seconds = Math.ceil(waitMs / 1000);
  return new ApiError(429, "too many failed logins", {
    hint: `try again in ${seconds} seconds`,
    headers: { "Retry-After": String(seconds) },
  });
}
