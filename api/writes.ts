import { type ApiContext, isRead, type Middleware } from "./env.ts";
import { ApiError } from "./errors.ts";
import { isFixedHost, isOwnOrigin } from "./origin.ts";

/** Where writes may come from. */
export type WriteRules = {
  /** Pages of other sites may write. */
  readonly cors: boolean;
  /** Callers have to log in. */
  readonly login: boolean;
};

/**
 * Refuses writes of other sites' pages: a browser sends them for any page that its user looks at, and names the page's
 * site in `Origin`. Reads pass, and so does whatever isn't a browser.
 */
export function ownPagesOnly(rules: WriteRules): Middleware {
  return async (c, next) => {
    if (!isRead(c.req.method)) checkOrigin(c, rules);
    await next();
  };
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
