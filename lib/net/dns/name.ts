/** Names as DNS writes them: labels with their lengths, and pointers to names that stood earlier in the message. Pure. */

/** A message that breaks the format. */
export class MalformedError extends Error {
  /** For logs. */
  override readonly name = "MalformedError";
}

const MAX_LABEL_BYTES = 63;
/** Of a whole name, its lengths and its end included. */
const MAX_NAME_BYTES = 255;
/** A name has at most 127 labels; more pointers than that lead nowhere. */
const MAX_POINTERS = 127;
const POINTER = 0xc0;
const DOT = 46;
const BACKSLASH = 92;

/** What is wrong with a name that somebody wrote, and after a line break what to do; undefined when it can be asked for. */
export function faultOfName(name: string): string | undefined {
  const shown = JSON.stringify(name);
  const labels = labelsOf(name);
  if (labels.some((label) => label === "")) {
    return `${shown} has an empty part\nwrite a name like "web.example.com"`;
  }
  if (!/^[!-[\]-~]*$/.test(name)) {
    return `${shown} has characters that names in DNS don't have\nwrite other alphabets as "xn--…"`;
  }
  if (labels.some((label) => label.length > MAX_LABEL_BYTES)) {
    return `${shown} has a part of more than ${MAX_LABEL_BYTES} characters`;
  }
  const bytes = labels.reduce((sum, label) => sum + label.length + 1, 1);
  return bytes > MAX_NAME_BYTES ? `${shown} is too long for a name in DNS` : undefined;
}

/** The name as it goes into a message; every name counts as absolute, with its last dot or without. @throws MalformedError. */
export function encodeName(name: string): Uint8Array {
  const fault = faultOfName(name);
  if (fault !== undefined) throw new MalformedError(fault);
  const encoder = new TextEncoder();
  const parts = labelsOf(name).map((label) => [label.length, ...encoder.encode(label)]);
  return Uint8Array.from([...parts.flat(), 0]);
}

/** The one way to write a name here: lower case, no dot at its end. */
export function canonical(name: string): string {
  return (name.endsWith(".") ? name.slice(0, -1) : name).toLowerCase();
}

function labelsOf(name: string): string[] {
  return (name.endsWith(".") ? name.slice(0, -1) : name).split(".");
}

/**
 * Reads the name at `at`: lower case, no dot at its end, the root as "". Bytes that no ordinary name has come as `\ddd`.
 * `next` is where the message goes on. A pointer must point before the name that it is in, so nothing can go round.
 *
 * @throws MalformedError
 */
export function readName(
  bytes: Uint8Array,
  at: number,
): { readonly name: string; readonly next: number } {
  let next: number | undefined;
  let start = at;
  let length = 1;
  const labels: string[] = [];
  for (let pointers = 0;;) {
    const head = bytes[at];
    if (head === undefined) throw new MalformedError("a name is cut off");
    if (head === 0) return { name: labels.join("."), next: next ?? at + 1 };
    if (head >= POINTER) {
      const low = bytes[at + 1];
      if (low === undefined) throw new MalformedError("a name is cut off");
      next ??= at + 2;
      at = (head - POINTER) * 256 + low;
      if (at >= start || ++pointers > MAX_POINTERS) {
        throw new MalformedError("a name points to itself");
      }
      start = at;
      continue;
    }
    if (head > MAX_LABEL_BYTES) throw new MalformedError("a name has a part of an unknown sort");
    length += head + 1;
    if (length > MAX_NAME_BYTES) throw new MalformedError("a name is too long");
    if (at + 1 + head > bytes.length) throw new MalformedError("a name is cut off");
    labels.push(printLabel(bytes.subarray(at + 1, at + 1 + head)));
    at += 1 + head;
  }
}

function printLabel(label: Uint8Array): string {
  let text = "";
  for (const byte of label) {
    const plain = byte > 32 && byte < 127 && byte !== DOT && byte !== BACKSLASH;
    text += plain ? String.fromCharCode(byte) : `\\${String(byte).padStart(3, "0")}`;
  }
  return text.toLowerCase();
}
