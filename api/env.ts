import type { Context, Hono, MiddlewareHandler } from "hono";

/** What the listener tells the routes with each request. */
export type ApiEnv = {
  Bindings: {
    /** The caller's address as the socket has it; IPv6 without brackets, IPv4 perhaps mapped. */
    readonly client: string;
    /** Aborts when the API closes: an answer that goes on for ever ends then. */
    readonly closing: AbortSignal;
  };
};

/** Does this method promise to change nothing? */
export function isRead(method: string): boolean {
  return method === "GET" || method === "HEAD" || method === "OPTIONS";
}

/** Routes, or the whole API. */
export type ApiApp = Hono<ApiEnv>;

/** One request on its way through the routes. */
export type ApiContext = Context<ApiEnv>;

/** What a request passes before it comes to its route. */
export type Middleware = MiddlewareHandler<ApiEnv>;
