/** The keys of a kind that speaks TLS to somebody else's server, under a prefix of its own. */
import { z } from "zod";
import { filePath } from "../config/values.ts";
import type { KeyProblem } from "../kinds.ts";
import type { TlsFiles } from "./tls_options.ts";

/** `PREFIX_tls_insecure` and so on. */
export function tlsShape(prefix: string): z.ZodRawShape {
  return {
    [`${prefix}_tls_insecure`]: z.boolean().default(false)
      .describe("Takes any certificate, whoever has issued it."),
    [`${prefix}_tls_cacert_path`]: filePath(
      "The file of the authorities to trust, PEM; if empty, the usual ones.",
    ),
    [`${prefix}_tls_server_name`]: z.string().default("").describe(
      "The name that is asked for and that the certificate must have; if empty, the host's.",
    ),
    [`${prefix}_tls_cert_path`]: filePath(
      "The file of our certificate, PEM, where the other side asks for one; with its key or not at all.",
    ),
    [`${prefix}_tls_key_path`]: filePath("The file of its key, PEM."),
  };
}

/** What these keys say; an empty one says nothing. */
export function tlsFiles(prefix: string, options: Readonly<Record<string, unknown>>): TlsFiles {
  const text = (key: string) =>
    (options[`${prefix}_tls_${key}`] || undefined) as string | undefined;
  return {
    insecure: options[`${prefix}_tls_insecure`] === true,
    caPath: text("cacert_path"),
    serverName: text("server_name"),
    certPath: text("cert_path"),
    keyPath: text("key_path"),
  };
}

/** What is wrong with them together. */
export function tlsProblems(
  prefix: string,
  options: Readonly<Record<string, unknown>>,
): KeyProblem[] {
  const { certPath, keyPath } = tlsFiles(prefix, options);
  const key = (name: string) => `${prefix}_tls_${name}`;
  if (!certPath === !keyPath) return [];
  const [has, lacks] = certPath ? ["cert_path", "key_path"] : ["key_path", "cert_path"];
  return [{ key: key(has!), message: `is given without ${key(lacks!)}\ngive both or none` }];
}
