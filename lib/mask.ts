/** What stands where a secret was. */
export const MASK = "********";

const SECRET_KEY = new RegExp(
  "(^|[_-])(password|passwd|passphrase|secret|token|credential|authorization)s?$" +
    "|(^|[_-])(api|access|private|secret)[_-]?key$",
);
/** `://user:password@`, or `://token@`; the password may hold an `@` that nobody has encoded. */
const USERINFO = /:\/\/(?:([^/?#:@\s]*):)?[^/?#\s]*@/g;
const SECRET_PARAMETER =
  /([?&][^=&#\s]*(?:password|secret|token|key|auth|sig|signature)=)[^&#\s]+/gi;

/** Is this a key whose value must not be shown? Key names match in any case. */
export function isSecretKey(key: string): boolean {
  return SECRET_KEY.test(key.toLowerCase());
}

/**
 * A copy of a section, or of any tree of them, with {@link MASK} for the values of secret keys (passwords, tokens, keys of
 * services), for passwords in URLs and for secret URL parameters. Empty values stay, so that it shows whether one is set.
 */
export function maskSecrets<T>(tree: T): T {
  return mask(tree) as T;
}

function mask(value: unknown): unknown {
  if (typeof value === "string") return maskUrls(value);
  if (Array.isArray(value)) return value.map(mask);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, field(key, inner)]));
}

function field(key: string, value: unknown): unknown {
  const empty = value === "" || value === null || value === undefined;
  return isSecretKey(key) && !empty ? MASK : mask(value);
}

function maskUrls(text: string): string {
  return text
    .replace(USERINFO, (_, user) => `://${user === undefined ? "" : `${user}:`}${MASK}@`)
    .replace(SECRET_PARAMETER, `$1${MASK}`);
}
