/** Hellos to test with: real ones from tests/fixtures/client_hello/, and an encoder that may also write them wrong. */
import type { ClientHello } from "../../protocols/client_hello.ts";
import { fromFileUrl } from "./paths.ts";

const FOLDER = fromFileUrl(new URL("../fixtures/client_hello/", import.meta.url));

/** A recorded hello, and what it should be read as. */
export type Fixture = {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly hello: ClientHello;
};

/** Every recorded hello, by name. */
export function helloFixtures(): Fixture[] {
  const expected = JSON.parse(Deno.readTextFileSync(`${FOLDER}expected.json`));
  return [...Deno.readDirSync(FOLDER)].map((entry) => /^(.*)\.hex$/.exec(entry.name)?.[1])
    .filter((name) => name !== undefined).sort().map((name) => {
      const digits = Deno.readTextFileSync(`${FOLDER}${name}.hex`).replace(/^#.*$|\s/gm, "");
      const hello = { serverName: undefined, ...expected[name] };
      return { name, bytes: Uint8Array.fromHex(digits), hello };
    });
}

/** Bytes behind their length in `prefix` bytes; `length` overrides it. */
export function vector(prefix: number, bytes: readonly number[], length = bytes.length): number[] {
  const head = Array.from({ length: prefix }, (_, i) => length >> 8 * (prefix - 1 - i) & 0xff);
  return [...head, ...bytes];
}

/** The characters' codes, 0 to 255. */
export function codes(text: string): number[] {
  return Array.from(text, (character) => character.charCodeAt(0));
}

/** One extension. */
export function extension(type: number, bytes: readonly number[]): number[] {
  return [type >> 8, type & 0xff, ...vector(2, bytes)];
}

/** The server_name extension with these names of type host_name. */
export function serverNames(...names: readonly string[]): number[] {
  return extension(0, vector(2, names.flatMap((name) => [0, ...vector(2, codes(name))])));
}

/** The ALPN extension. */
export function alpnOf(...protocols: readonly string[]): number[] {
  return extension(16, vector(2, protocols.flatMap((protocol) => vector(1, codes(protocol)))));
}

/** The supported_versions extension. */
export function versionsOf(...versions: readonly number[]): number[] {
  return extension(43, vector(1, versions.flatMap((version) => [version >> 8, version & 0xff])));
}

/** Parts of a hello that differ from the plainest one, each as it stands in the message. */
export type HelloParts = {
  readonly version?: readonly number[];
  readonly session?: readonly number[];
  readonly suites?: readonly number[];
  readonly compression?: readonly number[];
  /** All extensions with their common length; without them there is none. */
  readonly extensions?: readonly number[];
  /** Further bytes inside the message. */
  readonly rest?: readonly number[];
};

/** The handshake message, its header included. */
export function helloMessage(parts: HelloParts = {}): Uint8Array {
  const body = [
    ...parts.version ?? [3, 3],
    ...Array.from({ length: 32 }, (_, i) => i * 7 & 0xff),
    ...parts.session ?? [0],
    ...parts.suites ?? vector(2, [0x13, 0x01]),
    ...parts.compression ?? vector(1, [0]),
    ...parts.extensions ?? [],
    ...parts.rest ?? [],
  ];
  return Uint8Array.from([1, ...vector(3, body)]);
}

/** A whole hello in one record with these extensions. */
export function helloWith(...extensions: readonly (readonly number[])[]): Uint8Array {
  return inRecords(helloMessage({ extensions: vector(2, extensions.flat()) }));
}

/** Handshake bytes in records of these sizes, the last size again and again. */
export function inRecords(
  message: Uint8Array,
  sizes: readonly number[] = [1 << 14],
  minor = 1,
): Uint8Array {
  const bytes: number[] = [];
  for (let at = 0, i = 0; at < message.length; i++) {
    const size = sizes[Math.min(i, sizes.length - 1)]!;
    const fragment = message.subarray(at, at + size);
    bytes.push(22, 3, minor, fragment.length >> 8, fragment.length & 0xff, ...fragment);
    at += size;
  }
  return Uint8Array.from(bytes);
}

/** The handshake bytes of whole records. */
export function fromRecords(bytes: Uint8Array): Uint8Array {
  const message: number[] = [];
  for (let at = 0; at < bytes.length;) {
    const next = at + 5 + (bytes[at + 3]! << 8 | bytes[at + 4]!);
    message.push(...bytes.subarray(at + 5, next));
    at = next;
  }
  return Uint8Array.from(message);
}

/** Views of the first bytes, and how many bytes were looked at in all of them together, those of subarrays included. */
export function counted(bytes: Uint8Array): { upTo(end: number): Uint8Array; looks(): number } {
  let looks = 0;
  const upTo = (end: number) =>
    new Proxy(bytes, {
      get(target, key) {
        if (key === "length") return end;
        if (key === "subarray") {
          return (from: number, to: number) => {
            looks += to - from;
            return target.subarray(from, to);
          };
        }
        looks++;
        return Reflect.get(target, key);
      },
    });
  return { upTo, looks: () => looks };
}
