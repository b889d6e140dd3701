/**
 * The message inside: RFC 8446, section 4.1.2, and its forms of RFC 2246, 4346 and 5246. Offsets go from vector to
 * vector; -1 is a vector that doesn't fit, and stays -1 from there on, so that a run of fields needs one look.
 */
import { isIp } from "../lib/address.ts";
import type { ClientHello } from "./client_hello.ts";

/** Versions by their second byte; the first is 3. */
const VERSIONS = [undefined, "tls1", "tls1.1", "tls1.2", "tls1.3"] as const;
/** The newest that a hello can offer without supported_versions. */
const TLS12 = 3;

/** Version and random. */
const FIXED_BYTES = 2 + 32;

/** The facts of a whole hello, `bytes[at]` to `bytes[end - 1]`, without its header. Undefined where it breaks the rules. */
export function parseClientHello(
  bytes: Uint8Array,
  at: number,
  end: number,
): ClientHello | undefined {
  const session = at + FIXED_BYTES;
  const suites = after(bytes, session, end, 1, 0, 32);
  const methods = after(bytes, suites, end, 2, 2, 0xfffe);
  const extensions = after(bytes, methods, end, 1, 1, 0xff);
  if (extensions < 0 || (methods - suites) % 2 !== 0) return undefined;
  if (bytes[at] !== 3 || bytes[at + 1] === 0) return undefined; // neither SSL 3.0 nor DTLS
  const found: Found = {};
  // a hello without extensions ends here
  if (extensions !== end && !readExtensions(bytes, extensions, end, found)) return undefined;
  return {
    serverName: found.serverName || undefined,
    alpn: found.alpn ?? [],
    newest: VERSIONS[found.newest ?? Math.min(bytes[at + 1]!, TLS12)],
  };
}

/** What the extensions say: `serverName` is empty for no name, `newest` a version's second byte. */
type Found = { serverName?: string; alpn?: string[]; newest?: number };

const READERS = { serverName: readServerName, alpn: readAlpn, newest: readVersions };

/** The extensions that matter: server_name, ALPN and supported_versions, by their numbers. */
const EXTENSIONS = new Map<number, keyof Found>([
  [0, "serverName"],
  [16, "alpn"],
  [43, "newest"],
]);

/** Takes in the extensions that matter; false where one is malformed, or where one that matters comes twice. */
function readExtensions(bytes: Uint8Array, from: number, end: number, found: Found): boolean {
  if (after(bytes, from, end, 2, 0, 0xffff) !== end) return false;
  for (let at = from + 2; at < end;) {
    const next = after(bytes, at + 2, end, 2, 0, 0xffff);
    if (next < 0) return false;
    const key = EXTENSIONS.get(number(bytes, at, 2));
    if (key !== undefined) {
      const value = READERS[key](bytes, at + 4, next);
      if (value === undefined || found[key] !== undefined) return false;
      Object.assign(found, { [key]: value });
    }
    at = next;
  }
  return true;
}

/** The name; empty where there is none; undefined where the extension is malformed. */
function readServerName(bytes: Uint8Array, from: number, end: number): string | undefined {
  if (after(bytes, from, end, 2, 1, 0xffff) !== end) return undefined;
  let name: string | undefined;
  for (let at = from + 2; at < end;) {
    const next = after(bytes, at + 1, end, 2, 0, 0xffff);
    if (next < 0) return undefined;
    if (bytes[at] === 0) { // other types of names have the same form, but no meaning yet
      if (name !== undefined) return undefined;
      name = hostName(bytes, at + 3, next);
      if (name === undefined) return undefined;
    }
    at = next;
  }
  return name ?? "";
}

const NAME = /^[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$/;
const MAX_NAME = 253;

function hostName(bytes: Uint8Array, at: number, end: number): string | undefined {
  if (end - at > MAX_NAME + 1) return undefined;
  const name = text(bytes, at, end).toLowerCase().replace(/\.$/, "");
  if (isIp(name)) return "";
  return name.length <= MAX_NAME && NAME.test(name) ? name : undefined;
}

/** The protocols that are visible ASCII, or undefined where the list is malformed. */
function readAlpn(bytes: Uint8Array, from: number, end: number): string[] | undefined {
  if (after(bytes, from, end, 2, 2, 0xffff) !== end) return undefined;
  const protocols: string[] = [];
  for (let at = from + 2; at < end;) {
    const next = after(bytes, at, end, 1, 1, 0xff);
    if (next < 0) return undefined;
    const protocol = text(bytes, at + 1, next);
    if (/^[!-~]+$/.test(protocol)) protocols.push(protocol);
    at = next;
  }
  return protocols;
}

/** The second byte of the newest version that we know, 0 for none, or undefined where the list is malformed. */
function readVersions(bytes: Uint8Array, from: number, end: number): number | undefined {
  if (after(bytes, from, end, 1, 2, 0xfe) !== end || (end - from) % 2 === 0) return undefined;
  let newest = 0;
  for (let at = from + 1; at < end; at += 2) {
    const minor = bytes[at] === 3 ? bytes[at + 1]! : 0;
    if (minor > newest && minor < VERSIONS.length) newest = minor;
  }
  return newest;
}

/**
 * Where the vector at `at` ends, whose length takes `prefix` bytes and is `min` to `max`. -1 where it doesn't end by
 * `end`, or `at` is -1 already.
 */
function after(
  bytes: Uint8Array,
  at: number,
  end: number,
  prefix: number,
  min: number,
  max: number,
): number {
  if (at < 0 || at + prefix > end) return -1;
  const length = number(bytes, at, prefix);
  const next = at + prefix + length;
  return length < min || length > max || next > end ? -1 : next;
}

/** An unsigned number of one or two bytes. */
function number(bytes: Uint8Array, at: number, size: number): number {
  return size === 1 ? bytes[at]! : bytes[at]! << 8 | bytes[at + 1]!;
}

/** Bytes as characters 0 to 255, 255 of them at most. */
function text(bytes: Uint8Array, at: number, end: number): string {
  return String.fromCharCode(...bytes.subarray(at, end));
}
