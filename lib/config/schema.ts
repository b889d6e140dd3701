/**
 * The sections of a configuration: gobetween's keys and ours. Those of pools are in schema_pool.ts, those about a
 * listener in schema_listener.ts, and each kind brings its own keys. docs/reference.md is made from all of them.
 */
import { z } from "zod";
import { MAX_WORKERS } from "../stats/layout.ts";
import { parseAccessRule } from "../access.ts";
import type { Bind } from "../model.ts";
import { balance } from "./schema_pool.ts";
import { bind, bufferSize, duration, flag, httpUrl, networks, text, whole } from "./values.ts";

/** A section: the keys with plain values, each with its schema, and the names of the sections inside it. */
export type Section<T> = {
  /** Its path, `*` for a name. */
  readonly at: string;
  /** One sentence for the reference. */
  readonly summary: string;
  readonly keys: { readonly [K in keyof T]-?: z.ZodType<T[K] | undefined> };
  readonly sections: readonly string[];
};

/** Settings of the process as a whole. */
export type TopKeys = {
  workers: number;
  watchdog: number;
  shutdown_timeout: number;
  takeover_timeout: number;
  buffer_max: number;
  max_sessions: number;
  state_file: string;
  include: string[];
};
/** The whole file. */
export const top: Section<TopKeys> = {
  at: "",
  summary: "Settings of the process as a whole.",
  keys: {
    workers: whole("Data-plane workers, which share the sessions.", 1, MAX_WORKERS).optional()
      .meta({ otherwise: "one a core" }),
    watchdog: duration(
      'A worker without a heartbeat for so long ends the process with code 70; `"0"` never.',
    ).default(10_000),
    shutdown_timeout: duration("Longest drain after SIGTERM or SIGINT.").default(30_000),
    takeover_timeout: duration(
      'Longest drain after another process has taken over; `"0"` is no limit.',
    ).default(0),
    buffer_max: bufferSize("Largest buffer of one direction of a session; each starts with 1 KiB.")
      .optional().meta({ otherwise: '`"256KiB"`' }),
    max_sessions: whole(
      "Sessions of the whole process; what is over is closed and counted.",
      1,
    ).optional().meta({ otherwise: "by the limit of descriptors" }),
    state_file: text("The file that keeps what was changed through the API.").optional()
      .meta({ otherwise: "beside the pid file, if there is one" }),
    include: z.array(z.string().min(1))
      .describe('Further files with servers and pools, as in `["conf.d/*.toml"]`.').optional()
      .meta({ otherwise: "`[]`" }),
  },
  sections: ["logging", "api", "metrics", "profiler", "acme", "defaults", "servers", "pools"],
};

const LEVELS = ["trace", "debug", "info", "warn", "warning", "error", "fatal", "panic"] as const;

/** `[logging]`. */
export type LoggingKeys = { level: string; output: string; format: string };
/** What is written, and where to. */
export const logging: Section<LoggingKeys> = {
  at: "logging",
  summary: "What is written about the balancer's own work, and where to.",
  keys: {
    level: z.string().toLowerCase().pipe(z.enum(LEVELS))
      .meta({ description: "The least severe records that are written.", enum: [...LEVELS] })
      .default("info"),
    output: text("`stdout`, `stderr` or the path of a file, which SIGHUP opens anew.")
      .default("stdout"),
    format: text("How a record is written.").meta({ enum: ["text", "json"] }).default("text"),
  },
  sections: [],
};

/** `[api]`. */
export type ApiKeys = { enabled: boolean; bind: string; cors: boolean; allow: string[] };
/** The management API. */
export const api: Section<ApiKeys> = {
  at: "api",
  summary: "The management API.",
  keys: {
    enabled: flag("Serves the API.").default(false),
    bind: text('Where it listens, as in `"127.0.0.1:8888"`; needed where it is enabled.')
      .meta({ form: "address and port" }).default(""),
    cors: flag("Lets pages of other origins ask it.").default(false),
    allow: networks("Networks that may write without credentials, beside this host.").default([]),
  },
  sections: ["basic_auth", "tls"],
};

/** `[api.basic_auth]`. */
export type BasicAuthKeys = { login: string; password: string };
/** The API's only account. */
export const basicAuth: Section<BasicAuthKeys> = {
  at: "api.basic_auth",
  summary: "The API's only account; without this section there is none.",
  keys: {
    login: text("The account's name, without a colon.").default("").meta({ otherwise: "required" }),
    password: text("Its password.").default("").meta({ otherwise: "required" }),
  },
  sections: [],
};

/** `[api.tls]`. */
export type ApiTlsKeys = { cert_path: string; key_path: string };
/** The API by HTTPS. */
export const apiTls: Section<ApiTlsKeys> = {
  at: "api.tls",
  summary: "Serves the API by HTTPS.",
  keys: {
    cert_path: text("The file of the certificate, PEM."),
    key_path: text("The file of its key, PEM."),
  },
  sections: [],
};

/** `[metrics]` and `[profiler]`. */
export type ListenerKeys = { enabled: boolean; bind: string };
const listenerKeys: Section<ListenerKeys>["keys"] = {
  enabled: flag("Serves it.").default(false),
  bind: text("Where it listens.").default(""),
};
/** Prometheus metrics. */
export const metrics: Section<ListenerKeys> = {
  at: "metrics",
  summary: "Prometheus metrics.",
  keys: listenerKeys,
  sections: [],
};
/** A profiler, as gobetween has it. */
export const profiler: Section<ListenerKeys> = {
  at: "profiler",
  summary: "A profiler, as gobetween has it.",
  keys: listenerKeys,
  sections: [],
};

/** `[acme]`. */
export type AcmeKeys = {
  challenge: "http";
  http_bind: Bind;
  cache_dir: string;
  directory: string;
  email: string;
  ca_cert_path: string;
};
/** Certificates from an ACME authority. */
export const acme: Section<AcmeKeys> = {
  at: "acme",
  summary:
    "The authority that the certificates of `acme_hosts` come from, by ACME: Let's Encrypt, unless it says another. " +
    "With this section its terms are agreed to. More in [tls.md](tls.md#certificates-by-acme).",
  keys: {
    challenge: z.enum(["http"]).describe(
      "How the authority checks a host name: it asks for `http://HOST/.well-known/acme-challenge/…`.",
    ).default("http"),
    http_bind: bind("Where that is answered; other requests are sent on to https.").default({
      ...{ hostname: "0.0.0.0", port: 80, text: "0.0.0.0:80" },
    }),
    cache_dir: text(
      "Where keys and certificates are kept: in a folder `twixt-acme` that this user alone may open.",
    ).default("/var/lib/twixt"),
    directory: httpUrl("The authority's directory.").default(
      "https://acme-v02.api.letsencrypt.org/directory",
    ),
    email: text("Whom the authority writes to.").optional().meta({ otherwise: "nobody" }),
    ca_cert_path: text(
      "The file of the authorities that the directory's own certificate is verified with, PEM.",
    )
      .optional().meta({ otherwise: "the usual ones" }),
  },
  sections: [],
};

/** `[defaults]`: what a server takes where it has no value of its own. */
export type DefaultKeys = {
  max_connections: number;
  client_idle_timeout: number;
  backend_idle_timeout: number;
  backend_connection_timeout: number;
};
/** The four keys of `[defaults]` and of each server. */
export const defaults: Section<DefaultKeys> = {
  at: "defaults",
  summary: "What a server takes where it has no value of its own.",
  keys: {
    max_connections: whole("Sessions at the same time; 0 is no limit.", 0).optional()
      .meta({ otherwise: "`0`" }),
    client_idle_timeout: duration(
      'A session silent for so long, in both directions, ends; `"0"` never.',
    ).optional().meta({ otherwise: '`"0"`' }),
    backend_idle_timeout: duration("The same; the shorter of the two counts.").optional()
      .meta({ otherwise: '`"0"`' }),
    backend_connection_timeout: duration(
      'Longest wait for one backend to accept; `"0"` is 5s.',
    ).optional().meta({ otherwise: '`"5s"`' }),
  },
  sections: [],
};

/** `[servers.NAME]`. */
export type ServerKeys = DefaultKeys & {
  bind: Bind;
  protocol: "tcp" | "tls" | "udp" | "lines";
  balance: string;
  pool: string;
  forward: "user" | "kernel";
  half_close_timeout: number;
  dial_attempts: number;
  dial_budget: number;
  on_remove: "finish" | "close";
  buffer_max: number;
};
/** A listener. */
export const server: Section<ServerKeys> = {
  at: "servers.*",
  summary: "A listener, and the backends that serve its clients: a discovery of its own, or a " +
    "pool. What may stand in `[defaults]` is taken from there where it isn't given here.",
  keys: {
    bind: bind(
      'Where it listens: `":3000"` all addresses, `"0.0.0.0:3000"` IPv4 only, `"[::1]:3000"`; port 0 lets the system choose.',
    ),
    protocol: z.enum(["tcp", "tls", "udp", "lines"]).describe(
      "What it speaks with clients; with a section tls, both are the same.",
    ).default("tcp"),
    balance,
    pool: text(
      "The pool of `[pools]` that serves its clients, in place of balance, discovery and healthcheck.",
    )
      .optional().meta({ otherwise: "a pool of its own" }),
    ...defaults.keys,
    forward: z.enum(["user", "kernel"]).describe(
      "Who forwards its packets: `user` is Twixt, `kernel` are rules that Twixt writes, which cost next to nothing and know less. More in [kernel.md](kernel.md).",
    ).default("user"),
    half_close_timeout: duration("Longest silence once one side has sent its end.", 1)
      .default(60_000),
    dial_attempts: whole("Backends tried for one session.", 1).default(3),
    dial_budget: duration("Longest time for all dials of a session together.", 1).default(10_000),
    on_remove: z.enum(["finish", "close"])
      .describe(
        "What happens to the sessions of a backend that leaves: they may finish, or are closed.",
      )
      .default("finish"),
    buffer_max: bufferSize("Largest buffer of one direction of a session; each starts with 1 KiB.")
      .optional().meta({ otherwise: "that at the top of the file" }),
  },
  sections: [
    ...["sni", "tls", "backends_tls", "udp", "access", "proxy_protocol", "discovery"],
    ...["healthcheck", "routes"],
  ],
};

/** `[servers.NAME.access]`. */
export type AccessKeys = { default: "allow" | "deny"; rules: string[] };
/** Who may connect. */
export const access: Section<AccessKeys> = {
  at: "servers.*.access",
  summary:
    "Who may connect. A rule for IPv4 addresses says nothing about IPv6 ones, and the other " +
    "way round.",
  keys: {
    default: z.enum(["allow", "deny"]).describe("What happens when no rule matches.")
      .default("allow"),
    rules: z.array(
      z.string().superRefine((rule, context) => {
        const parsed = parseAccessRule(rule);
        if (typeof parsed === "string") context.addIssue({ code: "custom", message: parsed });
      }),
    ).meta({
      description: "The first that matches decides.",
      form: "list of `allow NETWORK` and `deny NETWORK`",
    }).default([]),
  },
  sections: [],
};
