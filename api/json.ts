/**
 * A value as gobetween's API prints it: four spaces, `<`, `>` and `&` escaped. A Map becomes an object with sorted keys;
 * in a plain object they keep their order, and undefined fields are left out. No line break at the end.
 */
export function printJson(value: unknown, indent: string = ""): string {
  const deeper = `${indent}    `;
  if (Array.isArray(value)) {
    return wrap("[", value.map((element) => printJson(element, deeper)), "]", indent);
  }
  if (typeof value !== "object" || value === null) return printScalar(value);
  const fields = value instanceof Map ? sorted(value) : Object.entries(value);
  const shown = fields.filter(([, inner]) => inner !== undefined)
    .map(([key, inner]) => `${printScalar(key)}: ${printJson(inner, deeper)}`);
  return wrap("{", shown, "}", indent);
}

/** An object can't do this: it puts keys like `80` before all others. */
function sorted(map: ReadonlyMap<string, unknown>): [string, unknown][] {
  return [...map].sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
}

function wrap(open: string, lines: readonly string[], close: string, indent: string): string {
  if (lines.length === 0) return open + close;
  return `${open}\n${lines.map((line) => `${indent}    ${line}`).join(",\n")}\n${indent}${close}`;
}

/** These characters occur inside strings only. */
function printScalar(value: unknown): string {
  return (JSON.stringify(value) ?? "null").replace(
    /[<>&\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
