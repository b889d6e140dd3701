/** TLS in the model: specs name files, what workers use has their texts. Keys are never logged or shown. */

import type { Bind } from "./model.ts";

/** Where a certificate and its key come from. */
export type CertificateSpec = {
  /** Paths of files in PEM form; that of the certificate may hold its chain. */
  readonly certPath: string;
  readonly keyPath: string;
  /** The section that names them: `servers.web.tls`. */
  readonly at: string;
  /** The host that it is for, where ACME keeps both in one file, which may be still to come. */
  readonly acmeHost?: string | undefined;
};

/** The authority that certificates of `acme_hosts` come from (RFC 8555). */
export type AcmeSpec = {
  /** The URL of its directory. */
  readonly directory: string;
  /** Whom it writes to; absent: nobody. */
  readonly email?: string | undefined;
  /** The file of the authorities that its own certificate is verified with, instead of the usual ones. */
  readonly caPath?: string | undefined;
  /** Where HTTP-01 challenges are answered. */
  readonly bind: Bind;
  /** The folder of certificates and keys. */
  readonly folder: string;
};

/** TLS towards the clients of one server. */
export type TlsSpec = {
  /** At least one. The first is for clients that ask for no name, or for one that none has. */
  readonly certificates: readonly CertificateSpec[];
  /** Protocols to agree on, best first; empty: none is offered. */
  readonly alpn: readonly string[];
  /** Longest handshake. Never 0. */
  readonly handshakeMs: number;
  /** Handshakes that aren't over, of all workers together, beyond which clients are refused; at least 1. */
  readonly maxUnfinished: number;
  /** When hellos are read before TLS is spoken, which lets go of silent clients: `auto` is while there are too many. */
  readonly guard: "auto" | "always" | "never";
  /** Without it, 1.2 is the oldest that is spoken. */
  readonly minVersion?: "TLSv1.3" | undefined;
  /** Absent: clients aren't asked for certificates. */
  readonly clients?: ClientsSpec | undefined;
};

/** Which certificates clients have to show. */
export type ClientsSpec = {
  /** Who shows none is refused. Who shows one that isn't good is in either case. */
  readonly required: boolean;
  /** The file of the authorities that sign them, and the key that names it. */
  readonly caPath: string;
  readonly at: string;
  /** What a certificate must say, at least one of these, as in `CN=alice`; empty: nothing more. See client_rules.ts. */
  readonly allow: readonly string[];
};

/** The same with the file's text. */
export type Clients = Omit<ClientsSpec, "caPath" | "at"> & { readonly ca: string };

/** How a server speaks TLS with its backends. */
export type BackendsTlsSpec = {
  /** The section: `servers.web.backends_tls`. */
  readonly at: string;
  /** Takes any certificate. */
  readonly insecure: boolean;
  /** The file of the authorities to trust instead of the usual ones. */
  readonly caPath?: string | undefined;
  /** Our certificate. */
  readonly pair?: CertificateSpec | undefined;
  /** The name that a backend's certificate must have, where it isn't its host. */
  readonly serverName?: string | undefined;
  /** Without it, 1.2 is the oldest that is spoken. */
  readonly minVersion?: "TLSv1.3" | undefined;
  /** Without it, 1.3 is the newest that is spoken. */
  readonly maxVersion?: "TLSv1.2" | undefined;
};

/** The same with the files' texts, as workers use it. */
export type BackendsTls = {
  readonly rejectUnauthorized: boolean;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly serverName?: string;
  readonly minVersion?: "TLSv1.3";
  readonly maxVersion?: "TLSv1.2";
};

/** A certificate by value, for workers, which can't read files. Its key is never logged or shown. */
export type Certificate = {
  /** The names that it is for, in lower case; `*.example.com` for all that have one label more. */
  readonly names: readonly string[];
  /** Both in PEM form. */
  readonly cert: string;
  readonly key: string;
};

/** TLS of a server as workers use it. */
export type TlsTable = Omit<TlsSpec, "certificates" | "maxUnfinished" | "clients"> & {
  /** At least one; the first is the default. */
  readonly certificates: readonly Certificate[];
  /** The share of one worker, at least 1. */
  readonly maxUnfinished: number;
  readonly clients?: Clients | undefined;
};
