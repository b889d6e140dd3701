/**
 * What version 2 of the PROXY protocol carries beside addresses (section 2.2 of proxy-protocol.txt, from "TLV"): a type
 * in one byte, a length in two, a value; over and over to the header's end, and the same once more inside of `SSL`.
 */
import type { ProxyExtras, ProxySsl } from "./proxy_header.ts";

const ALPN = 0x01;
const AUTHORITY = 0x02;
const CRC32C = 0x03;
const UNIQUE_ID = 0x05;
const SSL = 0x20;
const SSL_VERSION = 0x21;
const SSL_CN = 0x22;
const SSL_CIPHER = 0x23;
const SSL_SIG_ALG = 0x24;
const SSL_KEY_ALG = 0x25;

/** Longest text that is written, in bytes; names and protocols have their limits there. */
const TEXT_MAX_BYTES = 255;
const UNIQUE_ID_MAX_BYTES = 128;
const CRC32C_BYTES = 4;
/** `client` and `verify`. */
const SSL_FIXED_BYTES = 5;

type Extra = readonly [type: number, value: Uint8Array];
type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

/** Extras that were read, and the bytes of their checksum where one is there. */
export type ReadExtras = { readonly extras: ProxyExtras; readonly checksum?: Uint8Array };

/**
 * Reads all extras; undefined where one breaks the format. Those that we don't know are skipped; of several with one
 * type the last counts, as in HAProxy. There may be one checksum only, for it is made with itself cleared.
 */
export function readExtras(bytes: Uint8Array): ReadExtras | undefined {
  const found = take(bytes);
  if (found === undefined) return undefined;
  const extras: Writable<ProxyExtras> = {};
  let checksum: Uint8Array | undefined;
  for (const [type, value] of found) {
    if (type === ALPN) extras.alpn = decode(value);
    else if (type === AUTHORITY) extras.authority = decode(value);
    else if (type === UNIQUE_ID) {
      if (value.length > UNIQUE_ID_MAX_BYTES) return undefined;
      extras.uniqueId = value.slice(); // a part would keep the whole header in memory
    } else if (type === SSL) {
      const ssl = readSsl(value);
      if (ssl === undefined) return undefined;
      extras.ssl = ssl;
    } else if (type === CRC32C) {
      if (checksum !== undefined || value.length !== CRC32C_BYTES) return undefined;
      checksum = value;
    }
  }
  return checksum === undefined ? { extras } : { extras, checksum };
}

function readSsl(bytes: Uint8Array): ProxySsl | undefined {
  if (bytes.length < SSL_FIXED_BYTES) return undefined;
  const found = take(bytes.subarray(SSL_FIXED_BYTES));
  if (found === undefined) return undefined;
  const verify = viewOf(bytes).getUint32(1);
  const ssl: Writable<ProxySsl> = { client: bytes[0]!, verify };
  for (const [type, value] of found) {
    if (type === SSL_VERSION) ssl.version = decode(value);
    else if (type === SSL_CN) ssl.commonName = decode(value);
    else if (type === SSL_CIPHER) ssl.cipher = decode(value);
    else if (type === SSL_SIG_ALG) ssl.signature = decode(value);
    else if (type === SSL_KEY_ALG) ssl.key = decode(value);
  }
  return ssl;
}

/** Takes extras apart; undefined where one ends behind the last byte. */
function take(bytes: Uint8Array): Extra[] | undefined {
  const found: Extra[] = [];
  const view = viewOf(bytes);
  for (let at = 0; at < bytes.length;) {
    if (at + 3 > bytes.length) return undefined;
    const end = at + 3 + view.getUint16(at + 1);
    if (end > bytes.length) return undefined;
    found.push([bytes[at]!, bytes.subarray(at + 3, end)]);
    at = end;
  }
  return found;
}

/** Extras as bytes, in HAProxy's order; where a checksum is asked for, its four bytes come fourth to seventh, cleared. */
export function writeExtras(extras: ProxyExtras, checksum: boolean): Uint8Array {
  const { uniqueId, ssl } = extras;
  const id = uniqueId !== undefined && uniqueId.length <= UNIQUE_ID_MAX_BYTES;
  return join([
    ...checksum ? [[CRC32C, new Uint8Array(CRC32C_BYTES)] as const] : [],
    ...text(ALPN, extras.alpn),
    ...text(AUTHORITY, extras.authority),
    ...id ? [[UNIQUE_ID, uniqueId] as const] : [],
    ...ssl === undefined ? [] : [[SSL, writeSsl(ssl)] as const],
  ]);
}

function writeSsl(ssl: ProxySsl): Uint8Array {
  const extras = join([
    ...text(SSL_VERSION, ssl.version),
    ...text(SSL_CN, ssl.commonName),
    ...text(SSL_KEY_ALG, ssl.key),
    ...text(SSL_SIG_ALG, ssl.signature),
    ...text(SSL_CIPHER, ssl.cipher),
  ]);
  const bytes = new Uint8Array(SSL_FIXED_BYTES + extras.length);
  bytes[0] = ssl.client;
  viewOf(bytes).setUint32(1, ssl.verify);
  bytes.set(extras, SSL_FIXED_BYTES);
  return bytes;
}

function text(type: number, value: string | undefined): Extra[] {
  if (value === undefined) return [];
  const bytes = new TextEncoder().encode(value);
  return bytes.length > TEXT_MAX_BYTES ? [] : [[type, bytes]];
}

function join(extras: readonly Extra[]): Uint8Array {
  const bytes = new Uint8Array(extras.reduce((sum, [, value]) => sum + 3 + value.length, 0));
  const view = viewOf(bytes);
  let at = 0;
  for (const [type, value] of extras) {
    bytes[at] = type;
    view.setUint16(at + 1, value.length);
    bytes.set(value, at + 3);
    at += 3 + value.length;
  }
  return bytes;
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
