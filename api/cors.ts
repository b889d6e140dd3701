import type { Middleware } from "./env.ts";
import { isOwnOrigin } from "./origin.ts";

/** No page sends the browser's stored login along: with `*` browsers refuse to. */
const ANSWER = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Allow-Credentials": "true",
};

const PREFLIGHT = {
  ...ANSWER,
  "Access-Control-Allow-Methods": "PUT,POST,DELETE,GET,OPTIONS",
  "Access-Control-Allow-Headers": "Origin,Authorization,Content-Type",
  "Access-Control-Max-Age": "43200",
  "Vary": "Origin",
};

/** Lets pages of other sites use the API. Goes before the login: a preflight carries no credentials. */
export function allowOtherSites(): Middleware {
  return async (c, next) => {
    const origin = c.req.header("origin");
    const other = origin !== undefined && !isOwnOrigin(origin, c.req.header("host"));
    if (other && c.req.method === "OPTIONS") {
      return new Response(null, { status: 204, headers: PREFLIGHT });
    }
    await next();
    c.res.headers.append("Vary", "Origin");
    const added = other ? Object.entries(ANSWER) : [];
    for (const [name, value] of added) c.res.headers.set(name, value);
    return undefined;
  };
}
