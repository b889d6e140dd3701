/** Certificates of servers as they are on the disk: read, judged, and made into values that workers can use. */
import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import { messageOf, StartError } from "../errors.ts";
import type { Certificate, CertificateSpec } from "../tls_model.ts";
import type { PemPair } from "./pem.ts";
import { readPlainFile } from "./plain_file.ts";

/** Certificates, and what is odd about them without keeping them from being used, one line each. */
export type ReadCertificates = {
  readonly certificates: readonly Certificate[];
  readonly warnings: readonly string[];
};

const DAY_MS = 24 * 60 * 60 * 1000;
/** A certificate that has less time left is warned of. */
const SOON_MS = 7 * DAY_MS;

/**
 * Reads certificates and their keys. Each is tried in a listener on a port of loopback that the system chooses, which is
 * closed at once: what the runtime takes, nobody else knows.
 *
 * @param nowMs Milliseconds since 1970.
 * @throws StartError that names the key of the configuration and the file.
 */
export async function readCertificates(
  specs: readonly CertificateSpec[],
  nowMs: number,
  standIn: StandIn = noStandIn,
): Promise<ReadCertificates> {
  const certificates: Certificate[] = [];
  const warnings: string[] = [];
  for (const spec of specs) {
    try {
      const pair = await (spec.acmeHost === undefined ? pairOf(spec) : issuedOf(spec));
      const { certificate, leaf } = judge(pair, spec);
      certificates.push(certificate);
      warnings.push(...expiry(leaf, spec, nowMs));
    } catch (error) {
      const { acmeHost } = spec;
      if (acmeHost === undefined || !(error instanceof StartError)) throw error;
      certificates.push({ names: [acmeHost], ...standIn(acmeHost, error) });
      if (!(error instanceof NotIssued)) warnings.push(`${error.message}; another is asked for`);
    }
  }
  return { certificates, warnings };
}

function judge(pair: PemPair, spec: CertificateSpec) {
  const { cert, key } = pair;
  const leaf = certificatesIn(cert, spec.certPath, `${spec.at}.cert_path`)[0]!;
  if (!belong(leaf, keyOf(key, spec))) {
    const message = `${spec.at}.key_path: ${spec.keyPath} is not the key of ${spec.certPath}`;
    throw new StartError(message, "name the key that the certificate was made with", true);
  }
  tryOut(pair, spec);
  const certificate: Certificate = { names: namesOf(leaf), cert, key };
  return { certificate, leaf };
}

/** Stands in for the certificate of a host where ACME has got none that can be used, and says why. */
export type StandIn = (host: string, why: StartError) => PemPair;

const noStandIn: StandIn = (_, why) => {
  throw why;
};

/** ACME has got no certificate yet. */
class NotIssued extends StartError {}

async function pairOf({ certPath, keyPath, at }: CertificateSpec) {
  const cert = await textOf(certPath, `${at}.cert_path`);
  return { cert, key: await textOf(keyPath, `${at}.key_path`) };
}

/** What ACME has got, key and certificate in one file. */
async function issuedOf({ certPath, at, acmeHost }: CertificateSpec): Promise<PemPair> {
  try {
    await Deno.stat(certPath);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new NotIssued(
        `${at}: there is no certificate for ${acmeHost} yet`,
        "wait for it",
        true,
      );
    }
  }
  const text = await textOf(certPath, at);
  const cert = Math.max(0, text.indexOf("-----BEGIN CERTIFICATE-----"));
  return { key: text.slice(0, cert), cert: text.slice(cert) };
}

/** The text of a file. @throws StartError that names the key of the configuration, too */
export async function textOf(path: string, at: string): Promise<string> {
  try {
    return await readPlainFile(path);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    throw new StartError(`${at}: ${error.message}`, error.hint, true);
  }
}

const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/**
 * The certificates in a text, at least one; `at` is the key of the configuration that names the file.
 * @throws StartError where one can't be read, or there is none
 */
export function certificatesIn(text: string, path: string, at: string): X509Certificate[] {
  const blocks = text.match(CERTIFICATES) ?? [];
  if (blocks.length !== (text.match(/-----BEGIN CERTIFICATE-----/g) ?? []).length) {
    const message = `${at}: ${path} has a certificate that is cut off`;
    throw new StartError(message, "write the whole file, best by renaming a new one", true);
  }
  if (blocks.length === 0) {
    const message = `${at}: ${path} holds no CERTIFICATE in PEM form`;
    throw new StartError(message, "convert it: openssl x509 -inform DER -in … -out …", true);
  }
  return blocks.map((block, i) => {
    try {
      return new X509Certificate(block);
    } catch {
      const which = blocks.length === 1 ? "a certificate" : `a certificate, the ${i + 1}. in it,`;
      const message = `${at}: ${path} has ${which} that can't be read`;
      throw new StartError(message, "look at it: openssl x509 -text -noout -in …", true);
    }
  });
}

function keyOf(text: string, { keyPath, at }: CertificateSpec): KeyObject {
  const wrong = (what: string, hint: string) =>
    new StartError(`${at}.key_path: ${keyPath} ${what}`, hint, true);
  if (/BEGIN ENCRYPTED|Proc-Type: 4,ENCRYPTED/.test(text)) {
    throw wrong("is encrypted", "take its passphrase off: openssl pkey -in … -out …");
  }
  if (!text.includes("PRIVATE KEY-----")) {
    throw wrong("holds no PRIVATE KEY in PEM form", "convert it: openssl pkey -in … -out …");
  }
  try {
    return createPrivateKey(text);
  } catch { // what it says may hold parts of the key
    throw wrong("has a key that can't be read", "look at it: openssl pkey -noout -in …");
  }
}

/** Is the certificate's key the public half of this one? (Deno 2.6 has no `checkPrivateKey`.) */
function belong({ publicKey }: X509Certificate, key: KeyObject): boolean {
  const form = { type: "spki", format: "der" } as const;
  return publicKey.export(form).equals(createPublicKey(key).export(form));
}

function tryOut(
  pair: { readonly cert: string; readonly key: string },
  spec: CertificateSpec,
): void {
  try {
    Deno.listenTls({ hostname: "127.0.0.1", port: 0, ...pair }).close();
  } catch (error) {
    const message = `${spec.at}.cert_path: ${spec.certPath} can't be used: ${messageOf(error)}`;
    throw new StartError(
      message,
      "use a key on P-256 or P-384, Ed25519, or RSA from 2048 bits",
      true,
    );
  }
}

/** The host names that a certificate is for; without any, its common name, as it was done in the past. */
function namesOf({ subjectAltName = "", subject }: X509Certificate): string[] {
  const named = (subjectAltName ?? "").split(", ").filter((each) => each.startsWith("DNS:"))
    .map((each) => each.slice(4).toLowerCase());
  if (named.length > 0) return named;
  const common = /^CN=(\S+)$/m.exec(subject ?? "")?.[1];
  return common === undefined ? [] : [common.toLowerCase()];
}

function expiry(leaf: X509Certificate, { certPath, at }: CertificateSpec, nowMs: number): string[] {
  const leftMs = Date.parse(leaf.validTo) - nowMs;
  const line = (what: string) => [`${at}.cert_path: ${certPath} ${what}; renew it`];
  if (leftMs <= 0) return line(`has expired on ${leaf.validTo}`);
  if (leftMs < SOON_MS) return line(`expires on ${leaf.validTo}`);
  if (Date.parse(leaf.validFrom) > nowMs) {
    return [`${at}.cert_path: ${certPath} is not valid before ${leaf.validFrom}`];
  }
  return [];
}
