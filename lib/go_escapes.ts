/** Escapes of Go's string literals, as gobetween has them in what probes send and expect. */

const SINGLE: Readonly<Record<string, number>> = {
  ...{ a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13 },
  ...{ "\\": 92, '"': 34 },
};
/** How many digits follow a letter, all of them hexadecimal. */
const HEX: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };
const HINT = String.raw`escapes are \n \r \t \a \b \f \v \\ \" \xNN \NNN \uNNNN \UNNNNNNNN`;

/**
 * The bytes that a text with escapes stands for: `\x` and octal escapes are single bytes, everything else is UTF-8. An
 * unescaped quote or line break is wrong, as in Go. A string says what is wrong, and after a line break what to do.
 */
export function decodeGoEscapes(text: string): Uint8Array<ArrayBuffer> | string {
  const encoder = new TextEncoder();
  const bytes: number[] = [];
  const add = (part: string) => {
    for (const byte of encoder.encode(part)) bytes.push(byte);
  };
  const plain = /[^\\"\n]+/y;
  for (let at = 0; at < text.length;) {
    plain.lastIndex = at;
    const part = plain.exec(text)?.[0];
    if (part !== undefined) {
      add(part);
      at += part.length;
      continue;
    }
    if (text[at] === "\n") return "has a line break\nwrite \\n, in TOML in 'single quotes'";
    if (text[at] === '"') return `has a quote at ${at + 1} that isn't escaped\nwrite \\"`;
    const escape = decodeEscape(text.slice(at, at + 10));
    if (escape === undefined) return `has no valid escape at ${at + 1}\n${HINT}`;
    if (escape.byte) bytes.push(escape.code);
    else add(String.fromCodePoint(escape.code));
    at += escape.length;
  }
  return Uint8Array.from(bytes);
}

type Escape = { readonly code: number; readonly byte: boolean; readonly length: number };

/** The escape that a text begins with. */
function decodeEscape(text: string): Escape | undefined {
  const letter = text[1] ?? "";
  const single = Object.hasOwn(SINGLE, letter) ? SINGLE[letter] : undefined;
  if (single !== undefined) return { code: single, byte: true, length: 2 };
  const octal = /^\\([0-3][0-7]{2})/.exec(text)?.[1];
  if (octal !== undefined) return { code: parseInt(octal, 8), byte: true, length: 4 };
  const digits = Object.hasOwn(HEX, letter) ? HEX[letter]! : 0;
  const hex = text.slice(2, 2 + digits);
  if (digits === 0 || hex.length < digits || !/^[\da-f]+$/i.test(hex)) return undefined;
  const code = parseInt(hex, 16);
  const surrogate = code >= 0xd800 && code <= 0xdfff;
  if (letter !== "x" && (surrogate || code > 0x10ffff)) return undefined;
  return { code, byte: letter === "x", length: 2 + digits };
}
