/**
 * Sections of a server that concern its listener: TLS, SNI, UDP, PROXY protocol; routes are in schema_routes.ts. What isn't built yet is refused before
 * these are asked; see unavailable.ts.
 */
import { z } from "zod";
import type { KeyGroup } from "./legacy.ts";
import type { Section } from "./schema.ts";
import { duration, flag, networks, text, whole } from "./values.ts";

/** A section inside a server, and what the API shows for its keys that weren't given. */
export type Inner = {
  readonly section: Section<Record<string, unknown>>;
  readonly shown: KeyGroup;
};

const strings = (describe: string) =>
  z.array(z.string()).describe(describe).optional()
    .meta({ otherwise: "none" });
const version = (describe: string) =>
  text(describe).meta({ enum: ["tls1", "tls1.1", "tls1.2", "tls1.3"] }).optional()
    .meta({ otherwise: "the runtime's" });
const tlsCommon = {
  ciphers: strings("Cipher suites of TLS 1.2.").meta({ otherwise: "the runtime's" }),
  min_version: version("The oldest version of TLS that is spoken."),
  max_version: version("The newest version of TLS that is spoken."),
  session_tickets: flag("Sessions can be resumed.").default(false),
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
    summary: "The certificates that clients see.",
    keys: {
      acme_hosts: strings("Host names whose certificates come from [acme]."),
      cert_path: text("The file of the certificate, PEM.").optional().meta({ otherwise: "none" }),
      key_path: text("The file of its key, PEM.").optional().meta({ otherwise: "none" }),
      ...tlsCommon,
      guard: z.enum(["auto", "always", "never"])
        .describe("Keeps clients that never finish a handshake away.").default("auto"),
      max_unfinished: whole("Unfinished handshakes that start the guard.", 1).default(512),
      handshake_timeout: duration("Longest handshake.", 1).default(5_000),
      certificates: z.array(z.unknown())
        .meta({ description: "Further certificates.", form: "list of tables" }).default([]),
      client_auth: text("Asks clients for certificates.").optional().meta({ otherwise: "none" }),
      client_ca_path: text("The file of who signs them, PEM.").optional()
        .meta({ otherwise: "none" }),
    },
    sections: [],
  },
  shown: { acme_hosts: null, cert_path: "", key_path: "", ...tlsShown },
};

const backendsTls: Inner = {
  section: {
    at: "servers.*.backends_tls",
    summary: "Speaks TLS to the backends.",
    keys: {
      ignore_verify: flag("Takes any certificate.").default(false),
      root_ca_cert_path: text("The file of the authorities to trust, PEM.").optional()
        .meta({ otherwise: "the system's" }),
      cert_path: text("The file of our certificate, PEM.").optional().meta({ otherwise: "none" }),
      key_path: text("The file of its key, PEM.").optional().meta({ otherwise: "none" }),
      ...tlsCommon,
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

const udp: Inner = {
  section: {
    at: "servers.*.udp",
    summary: "What makes a session of datagrams.",
    keys: {
      max_requests: whole("Packets of a client that end its session; 0 is no limit.", 0).default(0),
      max_responses: whole("Packets to a client that end its session.", 0).default(0),
      transparent: flag("Backends see the client's address.").default(false),
      max_sessions: whole("Clients at the same time.", 1).default(4096),
      when_full: z.enum(["refuse", "evict"]).describe("What a new client meets.").default("refuse"),
      key: z.enum(["address", "ip"]).describe("What makes a client.").default("address"),
      buffer_size: whole("Longest packet.", 512).default(16_384),
    },
    sections: [],
  },
  shown: { max_requests: 0, max_responses: 0, transparent: false },
};

const proxyProtocol: Inner = {
  section: {
    at: "servers.*.proxy_protocol",
    summary: "Tells backends the client's address, and takes it from proxies in front.",
    keys: {
      version: z.enum(["1", "2"]).describe(
        "Version of the header that backends get before the client's first byte.",
      ).optional().meta({ otherwise: "none is sent" }),
      accept_from: networks(
        "The proxies in front, which send a header of either version; nobody else may connect then.",
      ).optional().meta({ otherwise: "nobody sends one" }),
      read_timeout: duration("Longest wait for a proxy's header.", 1).default(5_000),
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
};

/** By name. */
export const listenerSections: Readonly<Record<string, Inner>> = {
  sni,
  tls,
  backends_tls: backendsTls,
  udp,
  proxy_protocol: proxyProtocol,
};
