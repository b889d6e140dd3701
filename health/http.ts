import type { CheckKind } from "../lib/kinds.ts";
import { checkHttp, type HttpOptions, httpProblems, httpShape } from "./_http_check.ts";

/** Passes when an HTTP request is answered with a status, and a body, as expected. */
export const http: CheckKind<HttpOptions> = {
  name: "http",
  summary: "Passes when an HTTP request is answered with a status, and a body, as expected.",
  example: 'http_path = "/health"',
  shape: httpShape,
  problems: httpProblems,
  check: (target, options, { signal }) => checkHttp(target, options, signal),
};
