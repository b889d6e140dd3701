/** Version 2 of the PROXY protocol: 16 bytes that say what follows, addresses, then what proxy_extras.ts knows. */
import { isMapped, parseIp, printIPv4, printIPv6, unmap, type Words } from "../lib/address.ts";
import { crc32c } from "../lib/crc32c.ts";
import { readExtras, writeExtras } from "./proxy_extras.ts";
import type { Endpoint, ProxyExtras, ProxyFault, ProxyHeader } from "./proxy_header.ts";

/** The first bytes of version 2. */
export const V2_START: Uint8Array = Uint8Array.of(13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10);

/** Bytes after which the length of the whole is known. */
export const V2_FIXED_BYTES = 16;

/** The longest header that is read, in bytes: room for addresses, names, and a client's certificate, which some proxies add. */
export const V2_MAX_BYTES = 4096;

const LOCAL = 0x20;
const PROXY = 0x21;
const UNSPEC = 0;
const INET = 1;
const INET6 = 2;
const STREAM = 1;

/** Bytes of both addresses and ports, by family: UNSPEC, INET, INET6, UNIX. */
const ADDRESS_BYTES = [0, 12, 36, 216] as const;

/** The length of the whole header in bytes, from its first {@link V2_FIXED_BYTES}; or why there is no use in waiting for it. */
export function lengthOfV2(bytes: Uint8Array): number | ProxyFault {
  const command = bytes[12]!;
  const [family, transport] = familyOf(bytes);
  if (command !== LOCAL) {
    if (command !== PROXY) return "unsupported";
    if (family >= ADDRESS_BYTES.length || transport > 2) return "unsupported";
  }
  const length = V2_FIXED_BYTES + (bytes[14]! << 8 | bytes[15]!);
  if (length > V2_MAX_BYTES) return "too_large";
  const least = command === LOCAL ? 0 : ADDRESS_BYTES[family]!;
  return length < V2_FIXED_BYTES + least ? "malformed" : length;
}

function familyOf(bytes: Uint8Array): [family: number, transport: number] {
  return [bytes[13]! >> 4, bytes[13]! & 15];
}

/**
 * Judges a whole header, as long as {@link lengthOfV2} said. What follows a LOCAL command, an unspecified family or
 * an unspecified transport is ignored unread: the specification wants it so. Clears the checksum in `bytes`.
 */
export function readV2(bytes: Uint8Array): ProxyHeader | ProxyFault {
  const local = bytes[12] === LOCAL;
  const [family, transport] = familyOf(bytes);
  if (local || family === UNSPEC || transport === UNSPEC) return { version: 2, local };
  const addressEnd = V2_FIXED_BYTES + ADDRESS_BYTES[family]!;
  const read = readExtras(bytes.subarray(addressEnd));
  if (read === undefined) return "malformed";
  if (read.checksum !== undefined && !isIntact(bytes, read.checksum)) return "checksum";
  return { version: 2, local, ...readAddresses(bytes, family), ...read.extras };
}

/** Is the checksum, which stands in a part of `bytes`, that of all of them with itself cleared? */
function isIntact(bytes: Uint8Array, checksum: Uint8Array): boolean {
  const told = viewOf(checksum).getUint32(0);
  checksum.fill(0);
  return crc32c(bytes) === told;
}

function readAddresses(
  bytes: Uint8Array,
  family: number,
): { source?: Endpoint; destination?: Endpoint } {
  if (family !== INET && family !== INET6) return {}; // a path says nothing to us
  const view = viewOf(bytes);
  const size = family === INET ? 4 : 16;
  const read = family === INET ? readIPv4 : readIPv6;
  const ports = V2_FIXED_BYTES + 2 * size;
  return {
    source: { address: read(view, V2_FIXED_BYTES), port: view.getUint16(ports) },
    destination: { address: read(view, V2_FIXED_BYTES + size), port: view.getUint16(ports + 2) },
  };
}

function readIPv4(view: DataView, at: number): string {
  return printIPv4(view.getUint32(at));
}

function readIPv6(view: DataView, at: number): string {
  const word = (i: number) => view.getUint32(at + 4 * i);
  return unmap(printIPv6([word(0), word(1), word(2), word(3)]));
}

/** What a header of version 2 is made of. */
export type V2Options = ProxyExtras & {
  readonly source?: Endpoint;
  readonly destination?: Endpoint;
  /** Adds a checksum of all bytes. Default false. */
  readonly crc32c?: boolean;
};

/**
 * The header for a client's TCP connection, to be sent in one write. Both ends IPv4 (IPv4-mapped counts) make it INET,
 * else INET6. An end that is missing or no address (a Unix socket) makes it LOCAL, without anything else: receivers
 * would ignore it. A text of more than 255 bytes, or a unique id of more than 128, is left out.
 */
export function writeV2(options: V2Options): Uint8Array<ArrayBuffer> {
  const from = parseIp(options.source?.address ?? "");
  const to = parseIp(options.destination?.address ?? "");
  if (from === undefined || to === undefined) return start(LOCAL, 0, 0);
  const family = isMapped(from) && isMapped(to) ? INET : INET6;
  const extras = writeExtras(options, options.crc32c ?? false);
  const addressEnd = V2_FIXED_BYTES + ADDRESS_BYTES[family];
  const bytes = start(PROXY, family << 4 | STREAM, ADDRESS_BYTES[family] + extras.length);
  const view = viewOf(bytes);
  const at = writeAddress(view, writeAddress(view, V2_FIXED_BYTES, from, family), to, family);
  view.setUint16(at, options.source!.port);
  view.setUint16(at + 2, options.destination!.port);
  bytes.set(extras, addressEnd);
  if (options.crc32c) view.setUint32(addressEnd + 3, crc32c(bytes));
  return bytes;
}

/** A header without what follows its first 16 bytes, for which there is room. */
function start(command: number, family: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(V2_FIXED_BYTES + length);
  bytes.set(V2_START);
  bytes[12] = command;
  bytes[13] = family;
  viewOf(bytes).setUint16(14, length);
  return bytes;
}

/** Gives where it ends. */
function writeAddress(view: DataView, at: number, words: Words, family: number): number {
  for (const word of family === INET ? words.slice(3) : words) {
    view.setUint32(at, word);
    at += 4;
  }
  return at;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
