const SECRET = /(^|_)(password|token|secret)$/;
const USERINFO = /(:\/\/[^/:@\s]*):[^/@\s]*@/g;

/** Is this a key whose value must not be shown? */
export function isSecret(key: string): boolean {
  return SECRET.test(key.toLowerCase());
}

/**
 * A copy of a section, or of any tree of them, with passwords and tokens as `***`; so are passwords inside URLs. Empty
 * ones stay empty, so that it shows whether one is set.
 */
export function maskSecrets<T>(tree: T): T {
  return mask(tree) as T;
}

function mask(value: unknown): unknown {
  if (typeof value === "string") return value.replace(USERINFO, "$1:***@");
  if (Array.isArray(value)) return value.map(mask);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      isSecret(key) && inner !== "" && inner !== null ? "***" : mask(inner),
    ]),
  );
}
