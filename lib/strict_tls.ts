import type { ProxySpec } from "./model.ts";

/** What decides it, of a spec or a table. */
type Server = {
  readonly tls?: { readonly clients?: unknown; readonly minVersion?: unknown } | undefined;
  readonly proxy?: ProxySpec | undefined;
};

/**
 * Has TLS with clients to be spoken by `node:tls`? The runtime's own asks nobody for a certificate, has no versions, and
 * doesn't say what was agreed on.
 */
export function isStrict({ tls, proxy }: Server): boolean {
  if (tls === undefined) return false;
  return tls.clients !== undefined || tls.minVersion !== undefined ||
    proxy?.extras?.includes("ssl") === true;
}
