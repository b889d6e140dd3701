/** What a certificate says of its owner (RFC 5280, sections 4.1.2.6 and 4.2.1.6), read from its DER. Pure. */
import { printIPv4, printIPv6 } from "../address.ts";

/** Attributes of a subject, by their identifiers in hexadecimal. */
const ATTRIBUTES: Readonly<Record<string, string>> = {
  "550403": "CN=",
  "550405": "serialNumber=",
  "550406": "C=",
  "550407": "L=",
  "550408": "ST=",
  "55040a": "O=",
  "55040b": "OU=",
  "0992268993f22c640119": "DC=",
  "2a864886f70d010901": "emailAddress=",
};

/** Kinds of alternative names that are text, by their tags. */
const NAMES: Readonly<Record<number, string>> = { 0x81: "email:", 0x82: "DNS:", 0x86: "URI:" };

const ALTERNATIVE_NAMES = "551d11"; // 2.5.29.17
const ADDRESS = 0x87;
const VERSION = 0xa0;
const EXTENSIONS = 0xa3;
const IDENTIFIER = 0x06;
const OCTETS = 0x04;
const BMP_STRING = 0x1e;
const UTF8_STRING = 0x0c;

/** A value in DER. */
type Value = { readonly tag: number; readonly bytes: Uint8Array };

/**
 * What a certificate says: `CN=alice`, `O=Acme`, `DNS:alice.test`, `URI:spiffe://…`, `email:…`, `IP:192.0.2.1`. What it says
 * else is left out.
 * @throws RangeError where it isn't DER as the RFC has it
 */
export function certificateFacts(der: Uint8Array): string[] {
  const body = [...values(inside(values(inside(values(der).next().value)).next().value))];
  const start = body[0]?.tag === VERSION ? 1 : 0;
  const extensions = body.find(({ tag }) => tag === EXTENSIONS);
  return [...subject(inside(body[start + 4])), ...extensions ? names(extensions.bytes) : []];
}

function* subject(name: Uint8Array): Generator<string> {
  for (const set of values(name)) {
    for (const attribute of values(set.bytes)) {
      const [type, value] = [...values(attribute.bytes)];
      if (type?.tag !== IDENTIFIER || value === undefined) throw malformed();
      const key = ATTRIBUTES[type.bytes.toHex()];
      if (key !== undefined) yield key + text(value);
    }
  }
}

function* names(extensions: Uint8Array): Generator<string> {
  for (const extension of values(inside(values(extensions).next().value))) {
    const parts = [...values(extension.bytes)];
    if (parts[0]?.bytes.toHex() !== ALTERNATIVE_NAMES) continue;
    const octets = parts.at(-1)!;
    if (octets.tag !== OCTETS) throw malformed();
    for (const { tag, bytes } of values(inside(values(octets.bytes).next().value))) {
      if (tag === ADDRESS) yield `IP:${address(bytes)}`;
      else if (NAMES[tag] !== undefined) yield NAMES[tag] + latin1(bytes);
    }
  }
}

/** The values in bytes, one after the other. @throws RangeError where one isn't whole */
function* values(bytes: Uint8Array): Generator<Value, undefined> {
  for (let at = 0; at < bytes.length;) {
    const tag = bytes[at]!;
    let length = bytes[at + 1] ?? 0xff;
    let start = at + 2;
    if (length > 0x80) {
      const size = length - 0x80;
      if (size > 3) throw malformed(); // no certificate is that long
      length = 0;
      for (const byte of bytes.subarray(start, start + size)) length = length << 8 | byte;
      start += size;
    } else if (length === 0x80) throw malformed(); // of no definite length
    if (start + length > bytes.length) throw malformed();
    yield { tag, bytes: bytes.subarray(start, start + length) };
    at = start + length;
  }
  return undefined;
}

/** What a value holds. */
function inside(value: Value | undefined): Uint8Array {
  if (value === undefined) throw malformed();
  return value.bytes;
}

function text({ tag, bytes }: Value): string {
  if (tag !== UTF8_STRING && tag !== BMP_STRING) return latin1(bytes);
  const encoding = tag === UTF8_STRING ? "utf-8" : "utf-16be";
  try { // exactly as it stands there: what is left out could make two names one
    return new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw malformed();
  }
}

function latin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

function address(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length === 4) return printIPv4(view.getUint32(0));
  if (bytes.length !== 16) throw malformed();
  const word = (i: number) => view.getUint32(4 * i);
  return printIPv6([word(0), word(1), word(2), word(3)]);
}

function malformed(): RangeError {
  return new RangeError("the certificate is malformed");
}
