import { X509Certificate } from "node:crypto";

/** Longest way from a certificate to an authority. */
const MAX_STEPS = 8;

/** What a connection tells of the certificates that its peer has shown, the peer's own first. */
export type Shown = { readonly raw: Uint8Array; readonly issuerCertificate?: Shown | undefined };

/**
 * Judges the certificate of a client that was verified before, when other authorities may have been in force: a session
 * that is resumed is verified by nobody. Dates and signatures up to an authority count; its purpose has not changed. Undefined: it is
 * trusted; else why not.
 *
 * @param authorities In PEM form.
 * @param nowMs Milliseconds since 1970.
 */
export function untrusted(shown: Shown, authorities: string, nowMs: number): string | undefined {
  const [leaf, ...between] = chainOf(shown);
  const trusted = authorities.match(CERTIFICATES)!.map((pem) => new X509Certificate(pem));
  let current = leaf!;
  for (let step = 0; step < MAX_STEPS; step++) {
    if (!isValid(current, nowMs)) return "it has expired, or one that has signed it";
    if (trusted.some((each) => each.raw.equals(current.raw) || hasSigned(each, current))) {
      return undefined;
    }
    const next = between.find((each) =>
      each.ca && !each.raw.equals(current.raw) && hasSigned(each, current)
    );
    if (next === undefined) break;
    current = next;
  }
  return "no authority of client_ca_path has signed it";
}

const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

function chainOf(shown: Shown): X509Certificate[] {
  const chain: X509Certificate[] = [];
  for (let each: Shown | undefined = shown; each !== undefined; each = each.issuerCertificate) {
    chain.push(new X509Certificate(each.raw));
    if (each.issuerCertificate === each || chain.length > MAX_STEPS) break;
  }
  return chain;
}

function isValid({ validFrom, validTo }: X509Certificate, nowMs: number): boolean {
  return Date.parse(validFrom) <= nowMs && nowMs <= Date.parse(validTo);
}

function hasSigned(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}
