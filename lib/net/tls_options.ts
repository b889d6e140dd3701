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
  };
}
