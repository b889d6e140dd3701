import { X509Certificate } from "node:crypto";
import type { PeerCertificate } from "node:tls";
import { serverIdentity } from "./server_identity.ts";
import { readPemFile } from "../source/pem.ts";

/** How a TLS connection to somebody else's server is made. Paths are read at each use: files may be renewed. */
export type TlsFiles = {
  /** Authorities to trust instead of the usual ones. */
  readonly caPath?: string | undefined;
  /** Our certificate and its key: both or none. */
  readonly certPath?: string | undefined;
  readonly keyPath?: string | undefined;
  /** Takes any certificate; an operator has to say so. */
  readonly insecure?: boolean | undefined;
  /** The name that the certificate must have, where it isn't the host's. */
  readonly serverName?: string | undefined;
};

/** The same as `node:tls` takes it. */
export type TlsOptions = {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly rejectUnauthorized: boolean;
  readonly servername?: string;
  /** Asked once the certificate has been verified, in place of a look at the names in it. */
  readonly checkServerIdentity?: (host: string, cert: PeerCertificate) => Error | undefined;
};

/** Reads the files. @throws StartError that names the one that can't be used. */
export function tlsOptions(files: TlsFiles): TlsOptions {
  const { caPath, certPath, keyPath, insecure = false, serverName } = files;
  return {
    rejectUnauthorized: !insecure,
    ...caPath ? { ca: readPemFile(caPath, "CERTIFICATE") } : {},
    ...certPath ? { cert: readPemFile(certPath, "CERTIFICATE") } : {},
    ...keyPath ? { key: readPemFile(keyPath, "PRIVATE KEY") } : {},
    ...serverName ? { servername: serverName } : {},
    checkServerIdentity: serverIdentity,
  };
}

/**
 * Takes this very certificate alone, in PEM form, whatever names it has. One that isn't signed by itself needs its
 * `authority` as well: the runtime verifies chains to their end.
 * @throws Error where it can't be read.
 */
export function pinned(cert: string, authority?: string): TlsOptions {
  const { raw } = new X509Certificate(cert);
  return {
    ca: authority === undefined ? cert : `${cert}\n${authority}`,
    rejectUnauthorized: true,
    checkServerIdentity: (_, shown) =>
      raw.equals(shown.raw) ? undefined : new Error("it shows another certificate"),
  };
}
