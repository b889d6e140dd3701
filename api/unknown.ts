import type { ApiApp, ApiContext } from "./env.ts";
import { ApiError } from "./errors.ts";

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/** The error for a request that no route takes: 405 where the path has routes for other methods, else 404. */
export function noRoute(app: ApiApp, c: ApiContext): ApiError {
  const methods = METHODS.filter((method) => hasRoute(app, method, c.req.path));
  if (methods.length === 0) return new ApiError(404, `there is nothing at "${c.req.path}"`);
  if (methods[0] === "GET") methods.splice(1, 0, "HEAD");
  const allow = methods.join(", ");
  return new ApiError(405, `${c.req.method} doesn't work on "${c.req.path}"`, {
    hint: `One of ${allow}`,
    headers: { Allow: allow },
  });
}

/** What was registered for all methods is no route, but something that every request passes. */
function hasRoute(app: ApiApp, method: string, path: string): boolean {
  return app.router.match(method, path)[0].some(([[, route]]) => route.method !== "ALL");
}
