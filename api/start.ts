import { contains, parseCidr } from "../lib/address.ts";
import { dumpConfig } from "../lib/config/dump.ts";
import type { Control } from "../lib/control.ts";
import type { Log } from "../lib/log.ts";
import type { ApiSpec } from "../lib/model.ts";
import { readPem } from "../lib/source/pem.ts";
import { createApp } from "./app.ts";
import { type ApiServer, serveApi } from "./serve.ts";

/** What the API shows and steers, and how much of the host it may take. */
export type ApiParts = {
  readonly version: string;
  readonly control: Control;
  readonly log: Log;
  /** Connections at the same time; each takes three descriptors. */
  readonly maxConnections: number;
};

/**
 * Serves the whole API where `spec` says. The caller closes it.
 *
 * @throws StartError when the address can't be bound or the certificate can't be used.
 */
export function startApi(
  spec: ApiSpec,
  { version, control, log, maxConnections }: ApiParts,
): Promise<ApiServer> {
  const allowed = spec.allow.map((network) => parseCidr(network)).filter((cidr) =>
    cidr !== undefined
  );
  const app = createApp(control, {
    ...{ version, spec, log },
    isAllowed: (ip) => allowed.some((cidr) => contains(cidr, ip)),
    dump: dumpConfig,
  });
  return serveApi(spec, app, { log, maxConnections, tls: spec.tls && readPem(spec.tls) });
}
