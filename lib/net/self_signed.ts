/**
 * A certificate that its own key has signed, for a client that is known by it (RFC 5280). The runtime signs but writes no
 * certificates; packages that do bring a good deal along, and all that is needed is this one form.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { certificatePem } from "../source/pem.ts";

/** A new key for {@link selfSigned}, P-384 as LXD's own client has it: PKCS #8 in PEM form. */
export function newKey(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
  return String(privateKey.export({ type: "pkcs8", format: "pem" }));
}

/** What a certificate says. */
export type SelfSignedOptions = {
  /** The common name, of its subject and issuer. */
  readonly name: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** 16 random bytes. */
  readonly serial: Uint8Array;
  /** The host that it is for; without one it is a client's. */
  readonly host?: string;
};

/**
 * A certificate for TLS clients, or for a host, in PEM form.
 * @param key Its key on an elliptic curve, PEM.
 * @throws Error where that is no such key.
 */
export function selfSigned(key: string, options: SelfSignedOptions): string {
  const privateKey = createPrivateKey(key);
  if (privateKey.asymmetricKeyType !== "ec") throw new Error("the key isn't on an elliptic curve");
  const publicKey = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  const algorithm = sequence(oid(ECDSA_SHA384));
  const name = sequence(tagged(SET, sequence(oid(COMMON_NAME), utf8(options.name))));
  const body = sequence(
    tagged(0xa0, integer(Uint8Array.of(2))), // version 3
    integer(options.serial),
    algorithm,
    name,
    sequence(time(options.notBefore), time(options.notAfter)),
    name,
    new Uint8Array(publicKey),
    tagged(0xa3, sequence(...extensionsOf(options.host))),
  );
  const signature = new Uint8Array(sign("sha384", body, privateKey));
  return certificatePem(sequence(body, algorithm, bits(0, signature)));
}

const ECDSA_SHA384 = "2a8648ce3d040303"; // 1.2.840.10045.4.3.3
const COMMON_NAME = "550403"; // 2.5.4.3
const KEY_USAGE = "551d0f"; // 2.5.29.15
const BASIC_CONSTRAINTS = "551d13"; // 2.5.29.19
const EXTENDED_KEY_USAGE = "551d25"; // 2.5.29.37
const CLIENT_AUTH = "2b06010505070302"; // 1.3.6.1.5.5.7.3.2
const SERVER_AUTH = "2b06010505070301"; // 1.3.6.1.5.5.7.3.1
const ALTERNATIVE_NAME = "551d11"; // 2.5.29.17
const SET = 0x31;
const DNS_NAME = 0x82;

function extensionsOf(host: string | undefined): Uint8Array[] {
  const name = tagged(DNS_NAME, new TextEncoder().encode(host));
  return [
    extension(KEY_USAGE, true, bits(7, Uint8Array.of(0x80))), // digital signature
    extension(EXTENDED_KEY_USAGE, false, sequence(oid(host ? SERVER_AUTH : CLIENT_AUTH))),
    extension(BASIC_CONSTRAINTS, true, sequence()), // no authority
    ...host ? [extension(ALTERNATIVE_NAME, false, sequence(name))] : [],
  ];
}

function extension(id: string, critical: boolean, value: Uint8Array): Uint8Array {
  const flag = critical ? [tagged(0x01, Uint8Array.of(0xff))] : [];
  return sequence(oid(id), ...flag, tagged(0x04, value));
}

/** A value in DER: its tag, the length of what it holds in as few bytes as do, and that. */
function tagged(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const long = length > 0xff ? [0x82, length >> 8, length & 0xff] : [0x81, length];
  const head = [tag, ...length < 0x80 ? [length] : long];
  const whole = new Uint8Array(head.length + length);
  whole.set(head);
  let at = head.length;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return tagged(0x30, ...parts);
}

function oid(hex: string): Uint8Array {
  return tagged(0x06, Uint8Array.fromHex(hex));
}

function utf8(text: string): Uint8Array {
  return tagged(0x0c, new TextEncoder().encode(text));
}

/** Positive and without needless zeros, as DER wants it: the first bit is a sign. */
function integer(bytes: Uint8Array): Uint8Array {
  const first = bytes.findIndex((byte) => byte !== 0);
  const digits = first < 0 ? Uint8Array.of(0) : bytes.subarray(first);
  return digits[0]! < 0x80 ? tagged(0x02, digits) : tagged(0x02, Uint8Array.of(0), digits);
}

/** @param unused Bits at the end that don't count. */
function bits(unused: number, bytes: Uint8Array): Uint8Array {
  return tagged(0x03, Uint8Array.of(unused), bytes);
}

/** Two digits for the year until 2049, four after. */
function time(date: Date): Uint8Array {
  const digits = date.toISOString().replace(/\.\d+|[-:T]/g, "");
  const short = date.getUTCFullYear() < 2050;
  return tagged(short ? 0x17 : 0x18, new TextEncoder().encode(short ? digits.slice(2) : digits));
}
