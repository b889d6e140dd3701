/** `[servers.NAME.tls]` and `backends_tls`: what they mean, and what of it the runtime can't do. */
import { isIp } from "../address.ts";
import { acmeFile, wrongAcmeHost } from "../acme/files.ts";
import { wrongRule } from "../client_rules.ts";
import type { BackendsTlsSpec, CertificateSpec, ClientsSpec, TlsSpec } from "../tls_model.ts";
import { quote } from "./issues.ts";
import { isTable, type Read, type Table } from "./read.ts";
import type { Path, Report } from "./report.ts";
import type { BackendsTlsKeys, TlsKeys, TlsVersion } from "./schema_listener.ts";
import type { Surroundings } from "./server.ts";
import { suggest } from "./suggest.ts";

/** Suites of TLS 1.2 that are always offered. */
const OFFERED = ["ECDSA", "RSA"].flatMap((key) =>
  ["AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256"]
    .map((cipher) => `TLS_ECDHE_${key}_WITH_${cipher}`)
);
/** Suites of TLS 1.3, which aren't configurable in gobetween either. */
const ALWAYS = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];
/** What else gobetween knows. */
const OLD = [
  ...["RC4_128_SHA", "3DES_EDE_CBC_SHA", "AES_128_CBC_SHA", "AES_256_CBC_SHA"],
  ...["AES_128_CBC_SHA256", "AES_128_GCM_SHA256", "AES_256_GCM_SHA384"],
].map((cipher) => `TLS_RSA_WITH_${cipher}`).concat(
  ["ECDSA", "RSA"].flatMap((key) =>
    ["RC4_128_SHA", "AES_128_CBC_SHA", "AES_256_CBC_SHA", "AES_128_CBC_SHA256"]
      .map((cipher) => `TLS_ECDHE_${key}_WITH_${cipher}`)
  ),
  "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
);

/**
 * The TLS of a server from its section, undefined without one; what is wrong is reported.
 * @param server All keys of the server that were given.
 */
export function tlsOf(
  read: Read<Record<string, unknown>> | undefined,
  server: Table,
  path: Path,
  { pools: { report }, acmeFolder }: Pick<Surroundings, "pools" | "acmeFolder">,
): TlsSpec | undefined {
  if (read === undefined) {
    if (server["protocol"] === "tls" && server["tls"] === undefined) {
      const hint = `add [${path.join(".")}.tls] with cert_path and key_path, or write "tcp"`;
      report.error([...path, "protocol"], `"tls" needs a certificate\n${hint}`);
    }
    return undefined;
  }
  const at = [...path, "tls"];
  const { given, values } = read;
  const keys = values as Partial<TlsKeys>;
  refuseVersions(keys, at, report);
  refuseCiphers(keys.ciphers ?? [], [...at, "ciphers"], report);
  if (given["session_tickets"] === false) {
    const hint = "sessions can be resumed, within one worker; remove it";
    report.warn([...at, "session_tickets"], `can't be turned off\n${hint}`);
  }
  const own = certificatesOf(keys, at, server["tls"], report);
  const certificates = [...own, ...acmeCertificates(keys.acme_hosts ?? [], at, acmeFolder, report)];
  const clients = clientsOf(keys, at, report);
  return {
    certificates,
    alpn: keys.alpn ?? [],
    handshakeMs: keys.handshake_timeout ?? 0,
    maxUnfinished: keys.max_unfinished ?? 1,
    guard: keys.guard ?? "auto",
    ...keys.min_version === "tls1.3" ? { minVersion: "TLSv1.3" } : {},
    ...clients === undefined ? {} : { clients },
  };
}

/** The TLS towards a server's backends from its section, undefined without one; what is wrong is reported. */
export function backendsTlsOf(
  read: Read<Record<string, unknown>> | undefined,
  path: Path,
  report: Report,
): BackendsTlsSpec | undefined {
  if (read === undefined) return undefined;
  const at = [...path, "backends_tls"];
  const keys = read.values as Partial<BackendsTlsKeys>;
  refuseOldVersions(keys, at, report);
  refuseCiphers(keys.ciphers ?? [], [...at, "ciphers"], report);
  if (keys.ignore_verify) {
    const hint = "give root_ca_cert_path, or server_name";
    report.warn([...at, "ignore_verify"], `anybody can pose as a backend\n${hint}`);
  }
  const { cert_path: certPath = "", key_path: keyPath = "", server_name: serverName = "" } = keys;
  if (serverName !== "" && !isIp(serverName) && !/^[a-z0-9_][a-z0-9_.-]*$/i.test(serverName)) {
    const text = `${quote(serverName)} is no host name\nfor example "api.internal"`;
    report.error([...at, "server_name"], text);
  }
  if ((certPath === "") !== (keyPath === "")) {
    const [has, lacks] = keyPath === "" ? ["cert_path", "key_path"] : ["key_path", "cert_path"];
    report.error([...at, has!], `is given without ${lacks}\ngive both or none`);
  }
  return {
    at: at.join("."),
    insecure: keys.ignore_verify ?? false,
    ...keys.root_ca_cert_path ? { caPath: keys.root_ca_cert_path } : {},
    ...certPath === "" ? {} : { pair: { certPath, keyPath, at: at.join(".") } },
    ...serverName === "" ? {} : { serverName },
    ...keys.min_version === "tls1.3" ? { minVersion: "TLSv1.3" } : {},
    ...keys.max_version === "tls1.2" ? { maxVersion: "TLSv1.2" } : {},
  };
}

function acmeCertificates(
  hosts: readonly string[],
  at: Path,
  folder: string | undefined,
  report: Report,
): CertificateSpec[] {
  if (folder === undefined && hosts.length > 0) {
    const hint = "add [acme], or give cert_path and key_path";
    report.error([...at, "acme_hosts"], `needs the section [acme]\n${hint}`);
  }
  return hosts.map((written, i) => {
    const host = written.toLowerCase().replace(/\.$/, "");
    const here = [...at, "acme_hosts", i];
    const wrong = wrongAcmeHost(host);
    if (wrong !== undefined) report.error(here, `${quote(written)} ${wrong}`);
    const path = acmeFile(folder ?? "", host);
    return { certPath: path, keyPath: path, at: here.join("."), acmeHost: host };
  });
}

function clientsOf(keys: Partial<TlsKeys>, at: Path, report: Report): ClientsSpec | undefined {
  const { client_auth: auth, client_ca_path: caPath = "", client_allow: allow = [] } = keys;
  for (const [i, rule] of allow.entries()) {
    const wrong = wrongRule(rule);
    if (wrong !== undefined) {
      report.error([...at, "client_allow", i], `${quote(rule)} ${wrong}`);
    }
  }
  if (auth === undefined) {
    const idle = caPath !== "" ? "client_ca_path" : allow.length > 0 ? "client_allow" : undefined;
    if (idle !== undefined) {
      const hint = 'add client_auth = "require" or "optional", or remove it';
      report.error([...at, idle], `says nothing without client_auth\n${hint}`);
    }
    return undefined;
  }
  if (caPath === "") {
    const hint = "give the file of the authorities that sign clients' certificates";
    report.error([...at, "client_auth"], `needs client_ca_path\n${hint}`);
  }
  return { required: auth === "require", caPath, at: [...at, "client_ca_path"].join("."), allow };
}

function certificatesOf(
  keys: Partial<TlsKeys>,
  at: Path,
  raw: unknown,
  report: Report,
): CertificateSpec[] {
  const { cert_path: certPath = "", key_path: keyPath = "", certificates = [] } = keys;
  const found = certificates.map((pair, i) => ({
    certPath: pair.cert_path,
    keyPath: pair.key_path,
    at: [...at, "certificates", i].join("."),
  }));
  if (certPath !== "" && keyPath !== "") return [{ certPath, keyPath, at: at.join(".") }, ...found];
  if (certPath !== "" || keyPath !== "") {
    const [has, lacks] = keyPath === "" ? ["cert_path", "key_path"] : ["key_path", "cert_path"];
    report.error([...at, has!], `is given without ${lacks}\ngive both`);
  } else if (found.length === 0 && !names(raw, ["acme_hosts", "certificates"])) {
    report.error(at, "has no certificate\ngive cert_path and key_path");
  }
  return found;
}

/** Does the section say something about these, right or wrong? */
function names(raw: unknown, keys: readonly string[]): boolean {
  return isTable(raw) &&
    Object.entries(raw).some(([key, value]) =>
      keys.includes(key.toLowerCase()) && value !== null &&
      !(Array.isArray(value) && value.length === 0)
    );
}

const BOTH = "TLS 1.2 and 1.3 are both spoken, always";

/** For the runtime's own TLS, which speaks both. */
function refuseVersions(keys: Partial<TlsKeys>, at: Path, report: Report): void {
  refuseOldVersions(keys, at, report, BOTH);
  if (keys.max_version === "tls1.2") {
    report.warn([...at, "max_version"], `"tls1.2" is raised to "tls1.3"\n${BOTH}`);
  }
}

function refuseOldVersions(
  { min_version: min, max_version: max }: Pick<TlsKeys, "min_version" | "max_version">,
  at: Path,
  report: Report,
  hint = "TLS 1.2 and 1.3 can be spoken",
): void {
  const old = (version: TlsVersion | undefined) => version === "tls1" || version === "tls1.1";
  if (old(min)) report.warn([...at, "min_version"], `${quote(min)} is raised to "tls1.2"\n${hint}`);
  if (old(max)) {
    report.error([...at, "max_version"], `${quote(max)} can't be spoken\n${hint}; leave it out`);
  }
  if (min === "tls1.3" && max === "tls1.2") {
    report.error([...at, "max_version"], `"tls1.2" is less than min_version, "tls1.3"\n${hint}`);
  }
}

function refuseCiphers(listed: readonly string[], at: Path, report: Report): void {
  const known = [...OFFERED, ...ALWAYS, ...OLD];
  for (const [i, name] of listed.entries()) {
    if (known.includes(name)) continue;
    const close = suggest(name, known);
    const hint = close === undefined ? "remove it" : `did you mean "${close}"?`;
    report.error([...at, i], `${quote(name)} is not a cipher suite\n${hint}`);
  }
  const missing = OFFERED.filter((name) => !listed.includes(name));
  if (listed.length > 0 && missing.length > 0) {
    const text = `can't be enforced: ${missing.join(", ")} would still be offered`;
    report.error(at, `${text}\nadd them, or leave ciphers out`);
  }
  const old = listed.filter((name) => OLD.includes(name));
  if (old.length > 0) report.warn(at, `${old.join(", ")}: not offered\nremove what nobody can use`);
}
