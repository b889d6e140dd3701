/** Which certificate a client gets. Pure. */

/** The longest name of a host (RFC 1035). */
const MAX_NAME = 253;

/** Gives the certificate for the name that a client asks for; empty where it asks for none. */
export type Choice<T> = (name: string) => T;

/**
 * Prepares the choice: the certificate with that very name, else one with a wildcard for it, else the first. Of several
 * with the same name the first counts. Upper and lower case are the same; `*` stands for one label.
 */
export function choiceOf<T extends { readonly names: readonly string[] }>(
  certificates: readonly [T, ...T[]],
): Choice<T> {
  const byName = new Map<string, T>();
  for (const certificate of certificates) {
    for (const name of certificate.names) {
      const plain = canonical(name);
      if (!byName.has(plain)) byName.set(plain, certificate);
    }
  }
  return (asked) => {
    if (asked.length > MAX_NAME) return certificates[0];
    const name = canonical(asked);
    return (name.startsWith("*") ? undefined : byName.get(name) ?? byName.get(wildcardOf(name))) ??
      certificates[0];
  };
}

/** `*.example.com` for `www.example.com`. */
function wildcardOf(name: string): string {
  const dot = name.indexOf(".");
  return dot > 0 ? `*${name.slice(dot)}` : "";
}

function canonical(name: string): string {
  return name.toLowerCase().replace(/\.$/, "");
}
