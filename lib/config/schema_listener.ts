/**
 * Sections of a server that concern its listener: TLS, SNI, PROXY protocol; routes are in schema_routes.ts, datagrams in
 * schema_udp.ts. What isn't built yet is refused before
 * these are asked; see unavailable.ts.
 */
import { z } from "zod";
import type { ProxyExtra } from "../model.ts";
import type { KeyGroup } from "./legacy.ts";
import type { Section } from "./schema.ts";
import { udp } from "./schema_udp.ts";
import { duration, flag, networks, text, whole } from "./values.ts";

/** A section inside a server, and what the API shows for its keys that weren't given. */
export type Inner = {
  readonly section: Section<Record<string, unknown>>;
  readonly shown: KeyGroup;
};

const TLS_VERSIONS = ["tls1", "tls1.1", "tls1.2", "tls1.3"] as const;

const strings = (describe: string) =>
  z.array(z.string()).describe(describe).optional()
    .meta({ otherwise: "none" });
const version = (describe: string, otherwise: string) =>
  z.enum(TLS_VERSIONS).describe(describe).optional().meta({ otherwise });
const tlsCommon = {
  ciphers: strings(
    "Cipher suites, by their names in gobetween. None can be left out: what is listed must hold all that are offered.",
  ).meta({ otherwise: "the runtime's" }),
  min_version: version(
    "The oldest version of TLS that is spoken; older than 1.2 is raised. With 1.3 TLS costs more CPU.",
    '`"tls1.2"`',
  ),
  max_version: version(
    "The newest version of TLS that is spoken; 1.2 is raised, older is refused.",
    '`"tls1.3"`',
  ),
  session_tickets: flag("Sessions can be resumed, which can't be turned off.").default(true),
};
const tlsShown = { ciphers: null, min_version: "", max_version: "", session_tickets: false };

const sni: Inner = {
  section: {
    at: "servers.*.sni",
    summary: "Chooses among the backends whose sni is the name that a client asks for in its TLS " +
      "hello, which is read and sent on; nothing is decrypted. It holds for the pools of routes as well. A client that asks for no name, or " +
      "speaks no TLS, is for backends without sni. One that waits for the server to speak first is " +
      "refused when the time is over, and so is one whose hello is broken.",
    keys: {
      hostname_matching_strategy: z.enum(["exact", "wildcard", "regexp"]).describe(
        "How a backend's sni is compared: as a name in any case; `wildcard` also knows `*.example.com`, which " +
          "is every name below it, the longest that fits; `regexp` is a pattern that may match anywhere in the name.",
      ).default("exact"),
      unexpected_hostname_strategy: z.enum(["default", "reject", "any"]).describe(
        "Who serves a name that no live backend has: `default` those without sni, `reject` nobody, `any` all of them.",
      ).default("default"),
      read_timeout: duration("Longest wait for the client's hello.", 1).default(2_000),
    },
    sections: [],
  },
  shown: {
    hostname_matching_strategy: "exact",
    unexpected_hostname_strategy: "default",
    read_timeout: "2s",
  },
};

const tls: Inner = {
  section: {
    at: "servers.*.tls",
    summary:
      "Speaks TLS with clients, and plainly with the backends. A certificate is chosen by the " +
      "names in it and the one that the client asks for: that very name, then a wildcard, else the " +
      "first certificate. Files are read anew with each reload and when they change; where they " +
      "can't be used, the old ones stay. More in [tls.md](tls.md).",
    keys: {
      acme_hosts: strings(
        "Host names whose certificates come from the authority in `[acme]`, one for each.",
      ),
      cert_path: text(
        "The file of the first certificate, PEM; the chain to its authority may follow in it.",
      ).optional().meta({ otherwise: "the first of certificates" }),
      key_path: text("The file of its key, PEM, without a passphrase.").optional()
        .meta({ otherwise: "the first of certificates" }),
      certificates: z.array(z.strictObject({ cert_path: z.string(), key_path: z.string() })).max(
        1000,
      )
        .meta({
          description: "Further certificates.",
          form: "list of tables with cert_path and key_path",
        }).default([]),
      ...tlsCommon,
      alpn: z.array(z.string().refine(isProtocol, "is no protocol\nfrom 1 to 255 bytes")).max(32)
        .describe(
          'Protocols to agree on with clients that offer some, best first, as in `["h2", "http/1.1"]`; a client that offers others only is refused.',
        ).default([]),
      handshake_timeout: duration("Longest handshake; no backend is dialled before its end.", 1)
        .default(5_000),
      max_unfinished: whole(
        "Handshakes that aren't over, beyond which TLS is guarded, or else clients are refused.",
        1,
      ).default(512),
      guard: z.enum(["auto", "always", "never"]).describe(
        "When a client's hello is read before TLS is spoken, so that silent clients can be let go of: `auto` is while there are max_unfinished of them. It costs CPU.",
      ).default("auto"),
      client_auth: z.enum(["require", "optional"]).describe(
        "Asks clients for certificates, which client_ca_path's authorities have signed: `optional` also serves who shows none. It costs CPU.",
      ).optional().meta({ otherwise: "nobody is asked" }),
      client_ca_path: text("The file of the authorities that sign clients' certificates, PEM.")
        .optional().meta({ otherwise: "none" }),
      client_allow: z.array(z.string()).max(1000).meta({
        form: "list of rules",
      }).describe(
        'What the certificate of a client must say, at least one of these, as in `["CN=alice", "O=Acme", "DNS:*.example.com", "URI:spiffe://acme/*"]`; `*` stands for anything.',
      ).optional().meta({ otherwise: "nothing more" }),
    },
    sections: [],
  },
  shown: { acme_hosts: null, cert_path: "", key_path: "", ...tlsShown },
};

/** `[servers.NAME.tls]`. */
export type TlsKeys = {
  readonly acme_hosts?: readonly string[];
  readonly cert_path?: string;
  readonly key_path?: string;
  readonly certificates: readonly { readonly cert_path: string; readonly key_path: string }[];
  readonly ciphers?: readonly string[];
  readonly min_version?: TlsVersion;
  readonly max_version?: TlsVersion;
  readonly alpn: readonly string[];
  readonly handshake_timeout: number;
  readonly max_unfinished: number;
  readonly guard: "auto" | "always" | "never";
  readonly client_auth?: "require" | "optional";
  readonly client_ca_path?: string;
  readonly client_allow?: readonly string[];
};

/** `[servers.NAME.backends_tls]`. */
export type BackendsTlsKeys =
  & Pick<TlsKeys, "ciphers" | "min_version" | "max_version" | "cert_path" | "key_path">
  & {
    readonly ignore_verify: boolean;
    readonly server_name: string;
    readonly root_ca_cert_path?: string;
  };

/** Versions as gobetween writes them. */
export type TlsVersion = typeof TLS_VERSIONS[number];

/** A protocol's name as TLS can carry it (RFC 7301). */
function isProtocol(name: string): boolean {
  const { length } = new TextEncoder().encode(name);
  return length > 0 && length < 256;
}

const backendsTls: Inner = {
  section: {
    at: "servers.*.backends_tls",
    summary: "Speaks TLS with the backends, whatever is spoken with clients, and verifies them: " +
      "their certificate must be for the host in their address. Health checks have keys of their own. " +
      "More in [tls.md](tls.md#tls-with-backends).",
    keys: {
      ignore_verify: flag("Takes any certificate, whoever has issued it.").default(false),
      server_name: text(
        "The name that backends are asked for and that their certificates must have; their host's if empty.",
      ).default(""),
      root_ca_cert_path: text("The file of the authorities to trust, PEM.").optional()
        .meta({ otherwise: "the usual ones" }),
      cert_path: text("The file of our certificate, PEM, with key_path or not at all.").optional()
        .meta({ otherwise: "none" }),
      key_path: text("The file of its key, PEM.").optional().meta({ otherwise: "none" }),
      ...tlsCommon,
      min_version: version(
        "The oldest version of TLS that is spoken; older than 1.2 is raised.",
        '`"tls1.2"`',
      ),
      max_version: version(
        "The newest version of TLS that is spoken; older than 1.2 is refused.",
        '`"tls1.3"`',
      ),
      session_tickets: flag("Sessions with backends aren't resumed, whatever it says.").default(
        true,
      ),
    },
    sections: [],
  },
  shown: {
    ignore_verify: false,
    root_ca_cert_path: null,
    cert_path: null,
    key_path: null,
    ...tlsShown,
  },
};

const proxyProtocol: Inner = {
  section: {
    at: "servers.*.proxy_protocol",
    summary: "Tells backends the client's address, and takes it from proxies in front.",
    keys: {
      version: z.enum(["1", "2"]).describe(
        "Version of the header that backends get before the client's first byte; a backend's `proxy=` says another.",
      ).optional().meta({ otherwise: "none is sent" }),
      accept_from: networks(
        "The proxies in front, which send a header of either version; nobody else may connect then.",
      ).optional().meta({ otherwise: "nobody sends one" }),
      read_timeout: duration("Longest wait for a proxy's header.", 1).default(5_000),
      extras: z.array(z.enum(["authority", "unique_id", "ssl", "crc32c"])).describe(
        "What a header of version 2 carries beside addresses and the protocol that TLS has agreed on: `authority` is the name that the client's hello asks for, `unique_id` a new one for each session, `ssl` what is known of TLS and the client's certificate, `crc32c` a checksum.",
      ).optional().meta({ otherwise: "nothing", form: "list" }),
    },
    sections: [],
  },
  shown: { version: "" },
};

/** `[servers.NAME.sni]`. */
export type SniKeys = {
  readonly hostname_matching_strategy?: "exact" | "wildcard" | "regexp";
  readonly unexpected_hostname_strategy?: "default" | "reject" | "any";
  readonly read_timeout?: number;
};

/** `[servers.NAME.proxy_protocol]`. */
export type ProxyProtocolKeys = {
  readonly version?: "1" | "2";
  readonly accept_from?: readonly string[];
  readonly read_timeout?: number;
  readonly extras?: readonly ProxyExtra[];
};

/** By name. */
export const listenerSections: Readonly<Record<string, Inner>> = {
  sni,
  tls,
  backends_tls: backendsTls,
  udp,
  proxy_protocol: proxyProtocol,
};
