/** PROXY protocol headers for tests: what a real HAProxy sent, what a generator makes, and how to read them in pieces. */
import fc from "fast-check";
import type { Endpoint } from "../../protocols/proxy_header.ts";
import { type ProxyRead, ProxyReader } from "../../protocols/proxy_reader.ts";
import type { V2Options } from "../../protocols/proxy_v2.ts";
import { fromFileUrl } from "./paths.ts";

const FOLDER = fromFileUrl(new URL("../fixtures/proxy_protocol/", import.meta.url));

/** A header of tests/fixtures/proxy_protocol/, by its file's name without `.hex`. */
export async function fixture(name: string): Promise<Uint8Array> {
  const text = await Deno.readTextFile(`${FOLDER}${name}.hex`);
  return Uint8Array.fromHex(text.replace(/#.*/g, "").replace(/\s/g, ""));
}

/** All of them, with their names. */
export async function fixtures(): Promise<{ name: string; bytes: Uint8Array }[]> {
  const names = [...Deno.readDirSync(FOLDER)].map(({ name }) => name)
    .filter((name) => name.endsWith(".hex")).map((name) => name.slice(0, -4)).sort();
  return await Promise.all(names.map(async (name) => ({ name, bytes: await fixture(name) })));
}

/** What a reader says of some bytes that come at once. */
export function read(bytes: Uint8Array): ProxyRead {
  return new ProxyReader().push(bytes);
}

/**
 * What a reader says of bytes that come in pieces which end at `cuts`. The pieces share one buffer, as a socket's
 * reads do. `taken` is counted from the start of all bytes, so that it is that of one piece.
 */
export function readInPieces(bytes: Uint8Array, cuts: readonly number[]): ProxyRead {
  const reader = new ProxyReader();
  const buffer = new Uint8Array(bytes.length);
  let from = 0;
  for (const cut of [...cuts.toSorted((a, b) => a - b), bytes.length]) {
    const piece = bytes.subarray(from, cut);
    buffer.set(piece);
    const result = reader.push(buffer.subarray(0, piece.length));
    buffer.fill(0xee);
    if (result !== "more") {
      return "header" in result ? { ...result, taken: from + result.taken } : result;
    }
    from = Math.max(from, cut);
  }
  return "more";
}

const ipv6 = fc.ipV6().map((text) => new URL(`http://[${text}]/`).hostname.slice(1, -1))
  .filter((text) => !text.startsWith("::ffff:"));

/** An end of a connection, IPv4 or IPv6, in its canonical spelling. */
export const endpoints: fc.Arbitrary<Endpoint> = fc.record({
  address: fc.oneof(fc.ipV4(), ipv6),
  port: fc.nat(65_535),
}, { noNullPrototype: true });

const text = fc.string({ unit: "grapheme", maxLength: 20 });

/** Everything that a header of version 2 can be made of. */
export const v2Options: fc.Arbitrary<V2Options> = fc.record({
  source: endpoints,
  destination: endpoints,
  crc32c: fc.boolean(),
  alpn: text,
  authority: text,
  uniqueId: fc.uint8Array({ maxLength: 128 }),
  ssl: fc.record({
    client: fc.nat(255),
    verify: fc.nat(0xffffffff),
    version: text,
    commonName: text,
    cipher: text,
    signature: text,
    key: text,
  }, { requiredKeys: ["client", "verify"], noNullPrototype: true }),
}, { requiredKeys: ["source", "destination", "crc32c"], noNullPrototype: true });
