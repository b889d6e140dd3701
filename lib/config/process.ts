/** The sections that aren't about servers: logging, API, and what is only checked. */
import { acmeFolder } from "../acme/files.ts";
import { parseBind } from "../address.ts";
import { MASK } from "../mask.ts";
import type { AcmeSpec } from "../tls_model.ts";
import type { ApiSpec, LoggingSpec, Section } from "../model.ts";
import { quote } from "./issues.ts";
import { showKeys, withOthers } from "./document.ts";
import { readSection, type Table } from "./read.ts";
import type { Report } from "./report.ts";
import * as schema from "./schema.ts";

/** Reads `[logging]`. */
export function readLogging(raw: unknown, report: Report): [LoggingSpec, Section] {
  const read = readSection(raw ?? {}, schema.logging, ["logging"], report);
  const { level = "info", output = "stdout", format = "text" } = read?.values ?? {};
  if (!["text", "json"].includes(format.toLowerCase())) {
    report.warn(["logging", "format"], `${quote(format)} means text\nOne of text, json`);
  }
  const spec: LoggingSpec = {
    level: level === "warn"
      ? "warning"
      : level === "panic"
      ? "fatal"
      : level as LoggingSpec["level"],
    output,
    format: format.toLowerCase() === "json" ? "json" : "text",
  };
  return [spec, showKeys(read?.given ?? {}, ["level", "output", "format"], "")];
}

/** Reads `[api]`; without a spec when it isn't enabled or something in it is wrong. */
export function readApi(raw: unknown, report: Report): [ApiSpec | undefined, Section] {
  const read = readSection(raw ?? {}, schema.api, ["api"], report);
  const given = read?.given ?? {};
  const { enabled = false, cors = false, allow = [] } = read?.values ?? {};
  const inner = <T>(key: string, section: schema.Section<T>) =>
    given[key] === undefined ? undefined : readSection(given[key], section, ["api", key], report);
  const auth = inner("basic_auth", schema.basicAuth);
  const tls = inner("tls", schema.apiTls);
  const shown = withOthers(
    {
      enabled,
      bind: given["bind"] ?? "",
      basic_auth: auth === undefined ? null : showKeys(auth.given, ["login", "password"], ""),
      tls: tls === undefined ? null : showKeys(tls.given, ["cert_path", "key_path"], ""),
      cors,
    },
    given,
    ["allow"],
  );
  const bind = read?.values.bind;
  if (!enabled || bind === undefined) return [undefined, shown];
  const parsed = bind === ""
    ? 'is missing\nname an address, for example bind = "127.0.0.1:8888" (gobetween would take port 80 of all)'
    : parseBind(bind);
  if (auth?.values.password === MASK) {
    report.error(
      ["api", "basic_auth", "password"],
      "is the mask that a dump shows in place of a password\nwrite the password itself",
    );
  }
  if (auth?.values.login?.includes(":")) {
    report.error(
      ["api", "basic_auth", "login"],
      `${
        quote(auth.values.login)
      } holds a colon, which ends the login in basic authentication\nchoose another`,
    );
  }
  if (auth !== undefined && auth.values.password === "") {
    const hint = "write one, or leave the section out; an unset variable leaves nothing";
    report.error(["api", "basic_auth", "password"], `is empty: anybody could log in\n${hint}`);
  }
  if (auth !== undefined && auth.values.login === "") {
    report.error(
      ["api", "basic_auth", "login"],
      "is empty\nname the account, or leave the section out",
    );
  }
  if (typeof parsed === "string") {
    report.error(["api", "bind"], parsed);
    return [undefined, shown];
  }
  const { cert_path, key_path } = tls?.values ?? {};
  const { login = "", password = "" } = auth?.values ?? {};
  const spec: ApiSpec = {
    bind: parsed,
    cors,
    allow,
    ...auth === undefined ? {} : { basicAuth: { login, password } },
    ...cert_path === undefined || key_path === undefined
      ? {}
      : { tls: { certPath: cert_path, keyPath: key_path } },
  };
  return [spec, shown];
}

/** Reads `[metrics]` or `[profiler]`, which say the same. */
export function readListener(
  raw: unknown,
  section: schema.Section<schema.ListenerKeys>,
  report: Report,
): Section {
  const read = readSection(raw ?? {}, section, [section.at], report);
  return { enabled: read?.values.enabled ?? false, bind: read?.values.bind ?? "" };
}

/** Reads `[acme]`; without a spec when it isn't there or something in it is wrong. */
export function readAcme(raw: unknown, report: Report): [AcmeSpec | undefined, Section | null] {
  if (raw === undefined) return [undefined, null];
  const read = readSection(raw, schema.acme, ["acme"], report);
  if (read === undefined) return [undefined, null];
  const { challenge = "http", http_bind, cache_dir, directory, email, ca_cert_path } = read.values;
  const text = http_bind?.text;
  const shown = withOthers(
    { challenge, http_bind: text ?? "", cache_dir: cache_dir ?? "" },
    read.given,
    ["directory", "email", "ca_cert_path"],
  );
  if (directory?.startsWith("http:")) {
    report.error(["acme", "directory"], "must be a URL of https\nauthorities speak nothing else");
  }
  if (http_bind === undefined || cache_dir === undefined || directory === undefined) {
    return [undefined, shown];
  }
  const spec = {
    ...{ directory, bind: http_bind, folder: acmeFolder(cache_dir, directory) },
    ...email ? { email } : {},
    ...ca_cert_path ? { caPath: ca_cert_path } : {},
  };
  return [spec, shown];
}

/** What the API shows of the top level: our keys that were given. */
export function showTop(given: Table): Section {
  // what was included stands in the sections: a dump that is loaded must not include it again
  return withOthers({}, given, Object.keys(schema.top.keys).filter((key) => key !== "include"));
}
