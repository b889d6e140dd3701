import { messageOf, StartError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { ApiSpec } from "../lib/model.ts";
import { classify } from "../lib/net/errors.ts";
import { bindError } from "../lib/net/probe.ts";
import { gatedServe } from "./gate.ts";
import type { ApiEnv } from "./env.ts";
import { answerError } from "./errors.ts";

/** What answers the requests. */
export type ApiHandler = {
  /** Answers one request; `caller` says who sent it. */
  fetch(request: Request, caller: ApiEnv["Bindings"]): Response | Promise<Response>;
};

/** Certificate and key as PEM texts. */
export type Pem = { readonly cert: string; readonly key: string };

/** What a listener is made from. */
export type ListenOptions = Deno.ServeTcpOptions & { cert?: string; key?: string };

/** A listener as the runtime makes it. */
export type Listener = Pick<Deno.HttpServer<Deno.NetAddr>, "addr" | "finished" | "shutdown">;

/** Makes a listener, as `Deno.serve` does. */
export type Listen = (
  options: ListenOptions,
  handler: Deno.ServeHandler<Deno.NetAddr>,
) => Listener;

/** Listeners of the API: the same in everything but the port. The caller shuts them down. */
export function openerOf(
  hostname: string,
  app: ApiHandler,
  closing: AbortSignal,
  options: {
    readonly log: Log;
    readonly tls?: Pem | undefined;
    readonly maxConnections?: number;
    readonly listen?: Listen;
  },
): (port: number) => Listener {
  const { log, tls, maxConnections = 64 } = options;
  const listen = options.listen ?? gatedServe(maxConnections);
  return (port) =>
    listen({
      ...{ hostname, port, onListen: () => {} },
      ...(tls === undefined ? {} : { cert: tls.cert, key: tls.key }),
      onError: (error) => answerError(error, log, "a request"),
    }, (request, info) => app.fetch(request, { client: info.remoteAddr.hostname, closing }));
}

/** Why the API can't listen, and what to do. With TLS, what no address explains is the certificate's fault. */
export function listenError(error: unknown, spec: ApiSpec): StartError {
  if (spec.tls === undefined || classify(error) !== "other") {
    return bindError(error, spec.bind, "the API");
  }
  return new StartError(
    `the API's certificate or key can't be used: ${messageOf(error)}`,
    "api.tls.cert_path and api.tls.key_path name PEM files: a certificate and its own key",
  );
}
