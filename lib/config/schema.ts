/**
 * Every section of a configuration: gobetween's keys and ours. The keys of kinds aren't here, each kind brings its
 * own. Reference docs and the JSON Schema are made from this.
 */
import { z } from "zod";
import { MAX_WORKERS } from "../stats/layout.ts";
import { parseAccessRule } from "../access.ts";
import type { Bind } from "../model.ts";
import { address, bind, bufferSize, duration, flag, networks, text, whole } from "./values.ts";

/** A section: the keys with plain values, each with its schema, and the names of the sections inside it. */
export type Section<T> = {
  /** Its path, `*` for a name. */
  readonly at: string;
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
  keys: {
    workers: whole("Data-plane isolates; as many as there are cores.", 1, MAX_WORKERS).optional(),
    watchdog: duration("A worker silent for so long ends the process; 0 never.").default(10_000),
    shutdown_timeout: duration("Longest drain after SIGTERM.").default(30_000),
    takeover_timeout: duration("Longest drain after a takeover; 0 is no limit.").default(0),
    buffer_max: bufferSize("Largest buffer of one direction of a session.").optional(),
    max_sessions: whole("Sessions of the whole process.", 1).optional(),
    state_file: text("Where changes made through the API are kept.").optional(),
    include: z.array(z.string().min(1))
      .describe("Further files with servers and pools: `conf.d/*.toml`.").optional(),
  },
  sections: ["logging", "api", "metrics", "profiler", "acme", "defaults", "servers", "pools"],
};

/** `[logging]`. */
export type LoggingKeys = { level: string; output: string; format: string };
/** What is written, and where to. */
export const logging: Section<LoggingKeys> = {
  at: "logging",
  keys: {
    level: z.string().toLowerCase().pipe(
      z.enum(["trace", "debug", "info", "warn", "warning", "error", "fatal", "panic"]),
    ).describe("The least severe records that are written.").default("info"),
    output: text("stdout, stderr or the path of a file.").default("stdout"),
    format: text("text or json.").default("text"),
  },
  sections: [],
};

/** `[api]`. */
export type ApiKeys = { enabled: boolean; bind: string; cors: boolean; allow: string[] };
/** The management API. */
export const api: Section<ApiKeys> = {
  at: "api",
  keys: {
    enabled: flag("Serves the API.").default(false),
    bind: text("Where the API listens.").default(""),
    cors: flag("Answers cross-origin requests.").default(false),
    allow: networks("Networks that may write without credentials.").default([]),
  },
  sections: ["basic_auth", "tls"],
};

/** `[api.basic_auth]`. */
export type BasicAuthKeys = { login: string; password: string };
/** The API's only account. */
export const basicAuth: Section<BasicAuthKeys> = {
  at: "api.basic_auth",
  keys: { login: text("Its name.").default(""), password: text("Its password.").default("") },
  sections: [],
};

/** `[api.tls]`. */
export type ApiTlsKeys = { cert_path: string; key_path: string };
/** The API by HTTPS. */
export const apiTls: Section<ApiTlsKeys> = {
  at: "api.tls",
  keys: { cert_path: text("Certificate, PEM."), key_path: text("Its key, PEM.") },
  sections: [],
};

/** `[metrics]` and `[profiler]`. */
export type ListenerKeys = { enabled: boolean; bind: string };
const listenerKeys: Section<ListenerKeys>["keys"] = {
  enabled: flag("Serves it.").default(false),
  bind: text("Where it listens.").default(""),
};
/** Prometheus metrics. */
export const metrics: Section<ListenerKeys> = { at: "metrics", keys: listenerKeys, sections: [] };
/** A profiler, as gobetween has it. */
export const profiler: Section<ListenerKeys> = { at: "profiler", keys: listenerKeys, sections: [] };

/** `[acme]`. */
export type AcmeKeys = { challenge: string; http_bind: string; cache_dir: string };
/** Certificates from an ACME authority. */
export const acme: Section<AcmeKeys> = {
  at: "acme",
  keys: {
    challenge: text("How the authority checks a host name.").default("http"),
    http_bind: text("Where HTTP-01 challenges are answered.").default("0.0.0.0:80"),
    cache_dir: text("Where keys and certificates are kept.").default("/tmp"),
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
  keys: {
    max_connections: whole("Sessions at the same time; 0 is no limit.", 0).optional(),
    client_idle_timeout: duration("Longest silence of a session; 0 is no limit.").optional(),
    backend_idle_timeout: duration("The same; the shorter of the two counts.").optional(),
    backend_connection_timeout: duration("Longest single dial; 0 is 5s.").optional(),
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
  keys: {
    ...defaults.keys,
    bind: bind("Where it listens: `:3000` for all addresses, or an address and a port."),
    protocol: z.enum(["tcp", "tls", "udp", "lines"]).describe("What it speaks.").default("tcp"),
    balance: text("How a backend is chosen.").optional(),
    pool: text("The pool that serves its clients, instead of backends of its own.").optional(),
    forward: z.enum(["user", "kernel"]).describe("Who copies the bytes.").default("user"),
    half_close_timeout: duration("Longest silence once one side has ended.", 1).default(60_000),
    dial_attempts: whole("Backends tried for one session.", 1).default(3),
    dial_budget: duration("Longest time for all dials of a session.", 1).default(10_000),
    on_remove: z.enum(["finish", "close"])
      .describe("What happens to the sessions of a backend that leaves.").default("finish"),
    buffer_max: bufferSize("Largest buffer of one direction of a session.").optional(),
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
  keys: {
    default: z.enum(["allow", "deny"]).describe("What happens when no rule matches.")
      .default("allow"),
    rules: z.array(
      z.string().superRefine((rule, context) => {
        const parsed = parseAccessRule(rule);
        if (typeof parsed === "string") context.addIssue({ code: "custom", message: parsed });
      }),
    ).describe("`allow NETWORK` or `deny NETWORK`; the first that matches decides.").default([]),
  },
  sections: [],
};

/** `[pools.NAME]`. */
export type PoolKeys = { balance: string };
/** Backends that several servers share. */
export const pool: Section<PoolKeys> = {
  at: "pools.*",
  keys: { balance: text("How a backend is chosen.").optional() },
  sections: ["discovery", "healthcheck"],
};

/** What all discoveries have in common. */
export type DiscoveryKeys = {
  kind: string;
  failpolicy: "keeplast" | "setempty";
  interval: number;
  timeout: number;
};
/** The keys of every discovery. */
export const discovery: Section<DiscoveryKeys> = {
  at: "discovery",
  keys: {
    kind: text("Where backends come from."),
    failpolicy: z.enum(["keeplast", "setempty"])
      .describe("What a failure leaves: the last good list, or none.").default("keeplast"),
    interval: duration("Time between two questions, 10s; 0 asks once.").optional(),
    timeout: duration("Limit of one question; 0 is 5s.").optional(),
  },
  sections: [],
};

/** What all checks have in common. */
export type CheckKeys = {
  kind: string;
  interval: number;
  timeout: number;
  fails: number;
  passes: number;
  port: number;
  addr: string;
  initial_status: "healthy" | "unhealthy";
};
/** The keys of every check. */
export const check: Section<CheckKeys> = {
  at: "healthcheck",
  keys: {
    kind: text("How a backend is asked, or none."),
    interval: duration("Time between two checks.").optional(),
    timeout: duration("Limit of one check; 0 is 5s.").optional(),
    fails: whole("Failures in a row that take a backend down.").default(1),
    passes: whole("Passes in a row that bring it back.").default(1),
    port: whole("Port that is checked instead of the backend's own.", 1, 65_535).optional(),
    addr: address("Address that is checked instead of the backend's own, without a port.")
      .optional(),
    initial_status: z.enum(["healthy", "unhealthy"])
      .describe("What a backend counts as before its first results.").optional(),
  },
  sections: [],
};
