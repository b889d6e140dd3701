import type { CheckKind } from "../lib/kinds.ts";
import { tlsFiles, tlsProblems, tlsShape } from "../lib/net/tls_keys.ts";
import { tlsOptions } from "../lib/net/tls_options.ts";
import { checkHttp, type HttpOptions, httpProblems, httpShape } from "./_http_check.ts";

/** The keys of `https`: those of `http`, and how TLS is spoken. */
export type HttpsOptions = HttpOptions & { readonly [tlsKey: `http_tls_${string}`]: unknown };

/** The same as `http`, by TLS; the certificate is verified. */
export const https: CheckKind<HttpsOptions> = {
  name: "https",
  summary: "The same as http by TLS, with the backend's certificate verified.",
  example: `http_path = "/health"
http_tls_server_name = "app.internal"`,
  shape: { ...httpShape, ...tlsShape("http") },
  problems: (options) => [...httpProblems(options), ...tlsProblems("http", options)],
  check: (target, options, { signal }) =>
    checkHttp(target, options, signal, () => tlsOptions(tlsFiles("http", options))),
};
