/**
 * What every request that changes something must get past. A browser sends such requests for any web page that its user
 * looks at, so they are refused unless the page is our own.
 */
import { bodyLimit } from "hono/body-limit";
import { type ApiContext, isRead, type Middleware } from "./env.ts";
import { ApiError } from "./errors.ts";
import { isFixedHost, isOwnOrigin } from "./origin.ts";

/** Longest body of a request. */
export const MAX_BODY_BYTES: number = 1 << 20;

/** Where writes may come from. */
export type WriteRules = {
  /** Pages of other sites may write. */
  readonly cors: boolean;
  /** Callers have to log in. */
  readonly login: boolean;
};

/** Refuses writes of other sites' pages and bodies that aren't JSON. Reads pass. */
export function guardWrites(rules: WriteRules): Middleware {
  return async (c, next) => {
    if (!isRead(c.req.method)) {
      checkOrigin(c, rules);
      checkType(c);
    }
    await next();
  };
}

/** Refuses a body of more than {@link MAX_BODY_BYTES}. */
export function limitBody(): Middleware {
  return bodyLimit({
    maxSize: MAX_BODY_BYTES,
    onError: () => {
      throw new ApiError(413, "the body is too long", { hint: `at most ${MAX_BODY_BYTES} bytes` });
    },
  });
}

function checkOrigin(c: ApiContext, rules: WriteRules): void {
  const origin = c.req.header("origin");
  if (origin === undefined || rules.cors) return;
  if (!isOwnOrigin(origin, c.req.header("host"))) {
    throw new ApiError(403, `the page of "${origin}" may not write: it is another site`, {
      hint: "set api.cors = true to let pages of all sites write",
    });
  }
  // a site can point its own name at us: then its pages have our origin, but never our login
  if (!rules.login && !isFixedHost(origin)) {
    throw new ApiError(403, `the page of "${origin}" may not write under this name`, {
      hint: "set api.basic_auth, or open the page by its address instead of a name",
    });
  }
}

function checkType(c: ApiContext): void {
  const type = c.req.header("content-type");
  const hasBody = (c.req.header("content-length") ?? "0") !== "0" ||
    c.req.header("transfer-encoding") !== undefined;
  if (type === undefined && !hasBody) return;
  if (type?.split(";")[0]?.trim().toLowerCase() === "application/json") return;
  const found = type === undefined ? "a body without Content-Type" : `a body of type "${type}"`;
  throw new ApiError(415, `${found} can't be read`, {
    hint: "send JSON with the header Content-Type: application/json",
  });
}
