/** What `plaintext` and `json` have in common: an address of http or https, and how TLS is made. */
import type { z } from "zod";
import { flag, httpUrl, text } from "../lib/config/values.ts";
import { DiscoveryError } from "../lib/errors.ts";
import { getText } from "../lib/net/get.ts";

/** Keys of an endpoint, before which the kind's name stands. */
export function endpointShape(name: string): z.ZodRawShape {
  return {
    [`${name}_endpoint`]: httpUrl("Where the list is, `http://…` or `https://…`."),
    [`${name}_tls_cacert_path`]: text(
      "The file of the authorities to trust instead of the usual ones, PEM.",
    ).optional().meta({ otherwise: "the usual ones" }),
    [`${name}_tls_cert_path`]: text(
      "The file of our certificate, PEM, where the server wants one; with its key or not at all.",
    ).optional().meta({ otherwise: "none" }),
    [`${name}_tls_key_path`]: text("The file of its key, PEM.").optional()
      .meta({ otherwise: "none" }),
    [`${name}_tls_insecure`]: flag("Takes any certificate of the server.").optional()
      .meta({ otherwise: "`false`" }),
  };
}

/** Fetches what is there. @throws DiscoveryError */
export async function textOf(
  name: string,
  options: Readonly<Record<string, unknown>>,
  accept: string,
  signal: AbortSignal,
): Promise<string> {
  const path = (key: string) => (options[`${name}_tls_${key}_path`] || undefined) as string;
  const tls = {
    caPath: path("cacert"),
    certPath: path("cert"),
    keyPath: path("key"),
    insecure: options[`${name}_tls_insecure`] === true,
  };
  if ((tls.certPath === undefined) !== (tls.keyPath === undefined)) {
    const keys = `${name}_tls_cert_path and ${name}_tls_key_path`;
    throw new DiscoveryError(`${keys} belong together: only one is given`);
  }
  return await getText({ url: options[`${name}_endpoint`] as string, tls, accept, signal });
}
