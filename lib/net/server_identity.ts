import { canonicalIp, isIp } from "../address.ts";
import { certificateFacts } from "./certificate_facts.ts";

/**
 * Is a certificate, which has been verified, for this host (RFC 9525)? Only alternative names count, a wildcard for the
 * first label alone. The runtime's own look splits them at commas, which a name may hold. Undefined: it is.
 * @param host A name, or an address literal.
 */
export function serverIdentity(
  host: string,
  { raw }: { readonly raw: Uint8Array },
): Error | undefined {
  let names: string[];
  try {
    names = certificateFacts(raw).filter((fact) => /^(DNS|IP):/.test(fact));
  } catch (error) {
    return error as Error; // who asks doesn't expect it to be thrown
  }
  const found = isIp(host)
    ? names.includes(`IP:${canonicalIp(host)}`)
    : names.some((name) => name.startsWith("DNS:") && matches(name.slice(4), host));
  if (found) return undefined;
  const shown = names.slice(0, SHOWN).join(", ") + (names.length > SHOWN ? ", …" : "");
  return new Error(
    `its certificate isn't for ${host}, but for ${shown || "nobody: it has no names"}`,
  );
}

/** Names that an error lists. */
const SHOWN = 5;

function matches(pattern: string, host: string): boolean {
  const wanted = host.toLowerCase().replace(/\.$/, "");
  const name = pattern.toLowerCase().replace(/\.$/, "");
  if (!name.startsWith("*.")) return name === wanted;
  const dot = wanted.indexOf(".");
  return dot > 0 && wanted.slice(dot) === name.slice(1) && name.slice(2).includes(".");
}
