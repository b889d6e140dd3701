/**
 * What a PROXY protocol header says, after HAProxy's proxy-protocol.txt: version 1 is a line of text (section 2.1),
 * version 2 is binary (section 2.2) and may carry more than addresses.
 */

/** One end of a connection. */
export type Endpoint = {
  /** An address, no name; IPv6 without brackets. What is read is never IPv4-mapped. */
  readonly address: string;
  /** 0 to 65535. */
  readonly port: number;
};

/** What the first proxy knows of the client's TLS; each text is undefined where it wasn't sent. */
export type ProxySsl = {
  /** Bits: {@link CLIENT_SSL}, {@link CLIENT_CERT_CONN}, {@link CLIENT_CERT_SESS}. */
  readonly client: number;
  /** 0 where the client's certificate is verified, and where it has none; else the verifier's error code, to 2^32 - 1. */
  readonly verify: number;
  /** Version, for example `TLSv1.3`. */
  readonly version?: string;
  /** Common name of the client's certificate. */
  readonly commonName?: string;
  /** Cipher, for example `TLS_AES_256_GCM_SHA384`. */
  readonly cipher?: string;
  /** What the proxy's own certificate is signed with, for example `RSA-SHA256`. */
  readonly signature?: string;
  /** The key of the proxy's own certificate, for example `RSA2048`. */
  readonly key?: string;
};

/** The client speaks TLS. */
export const CLIENT_SSL = 1;
/** It has shown a certificate on this connection. */
export const CLIENT_CERT_CONN = 2;
/** It has shown a certificate in this TLS session, perhaps on an earlier connection. */
export const CLIENT_CERT_SESS = 4;

/** What version 2 carries beside the addresses. Text that is read may hold anything: U+FFFD stands for what isn't UTF-8. */
export type ProxyExtras = {
  /** The protocol that TLS has agreed on, for example `h2`. */
  readonly alpn?: string;
  /** The host that the client asked for, with TLS its SNI. */
  readonly authority?: string;
  /** Names the connection across proxies; at most 128 bytes. */
  readonly uniqueId?: Uint8Array;
  readonly ssl?: ProxySsl;
};

/** A header that was read. Without `source` and `destination`, the connection's own addresses count. */
export type ProxyHeader = ProxyExtras & {
  readonly version: 1 | 2;
  /** The proxy speaks for itself (its health check, mostly), not for a client. */
  readonly local: boolean;
  readonly source?: Endpoint;
  readonly destination?: Endpoint;
};

/** Every way in which a header can be wrong, for counters: */
export const PROXY_FAULTS = [
  /** the first bytes are no PROXY header's; */
  "not_proxy",
  /** something in it breaks the format; */
  "malformed",
  /** it is longer than the limit of its version; */
  "too_large",
  /** its version, command, family or transport isn't in the specification; */
  "unsupported",
  /** its CRC32c isn't that of its bytes. */
  "checksum",
] as const;

/** One of {@link PROXY_FAULTS}. */
export type ProxyFault = typeof PROXY_FAULTS[number];
