/**
 * A TLS ClientHello from a client's first bytes, without decryption. This file takes the message out of its records
 * (RFC 8446, section 5.1); `_client_hello_message.ts` reads it.
 */
import { parseClientHello } from "./_client_hello_message.ts";

/** Most bytes of a client, records' headers included, within which its hello must end. */
export const MAX_HELLO_BYTES = 1 << 14;

/** A version of TLS, in the configuration's words. */
export type TlsVersion = "tls1" | "tls1.1" | "tls1.2" | "tls1.3";

/** What a client's hello tells. */
export type ClientHello = {
  /**
   * The server_name (RFC 6066): ASCII, in lower case, without a dot at its end, at most 253 letters, digits, hyphens,
   * underscores and dots. Undefined where the client sends none, or an address instead of a name.
   */
  readonly serverName: string | undefined;
  /**
   * The protocols of its ALPN extension (RFC 7301), the client's favourite first; empty without one. Names that aren't
   * visible ASCII (GREASE, for example) are left out: no rule could name them.
   */
  readonly alpn: readonly string[];
  /**
   * The newest version that the client offers. Undefined where it offers only versions that are unknown here. A client
   * whose newest is `tls1` or `tls1.1` can't talk to a server that has 1.2 and later alone.
   */
  readonly newest: TlsVersion | undefined;
};

/**
 * Why bytes are no hello. `not_tls`: they begin like no TLS client's (another protocol, SSL, an alert). `too_large`: the
 * hello doesn't end within {@link MAX_HELLO_BYTES}. `malformed`: it begins well, then breaks TLS's rules, or its server_name
 * can't be a name in DNS.
 */
export const HELLO_FAULTS = ["not_tls", "too_large", "malformed"] as const;

/** One of {@link HELLO_FAULTS}. */
export type HelloFault = typeof HELLO_FAULTS[number];

/** What is known of a hello: more bytes are needed, or here it is, or it will never be one. */
export type HelloResult =
  | "more"
  | { readonly hello: ClientHello }
  | { readonly wrong: HelloFault };

const RECORD_HEADER = 5;
const HANDSHAKE_RECORD = 22;
const MAX_FRAGMENT = 1 << 14;
const MESSAGE_HEADER = 4;
const CLIENT_HELLO = 1;

/**
 * Reads one client's hello, however its bytes are cut into segments and records. It keeps a few numbers and no bytes:
 * the caller has those anyway, to send them on. A read looks at headers that it hasn't seen yet, the message is read
 * once, when it is whole: the work of all reads together is linear in the bytes.
 */
export class ClientHelloReader {
  #result: HelloResult = "more";
  #at = 0; // bytes that are dealt with
  #records = 0;
  #left = 0; // bytes of the current record that aren't dealt with; 0: a record's header comes next
  #have = 0; // bytes of the message, its header included, that are there
  #size = 0; // bytes that the message has after its header, once that is whole

  /** How many of the client's bytes are dealt with: {@link MAX_HELLO_BYTES} at most. With a hello, its end. */
  get consumed(): number {
    return this.#at;
  }

  /**
   * What the bytes say so far. Never throws. Once it isn't "more" it remains what it is; whatever follows the hello is
   * not looked at. With {@link MAX_HELLO_BYTES} it is always decided.
   *
   * @param received All bytes of the client since its first: those of the last read, and more. They may have moved to
   * another buffer, but not changed.
   */
  read(received: Uint8Array): HelloResult {
    if (this.#result === "more") this.#result = this.#advance(received);
    return this.#result;
  }

  #advance(received: Uint8Array): HelloResult {
    const end = Math.min(received.length, MAX_HELLO_BYTES);
    while (this.#at < end) {
      const wrong = this.#left === 0
        ? this.#openRecord(received, end)
        : this.#have < MESSAGE_HEADER
        ? this.#messageHeader(received[this.#at]!)
        : this.#skip(Math.min(end - this.#at, this.#left, this.#missing()));
      if (wrong === "more") break;
      if (wrong !== undefined) return { wrong };
      if (this.#have >= MESSAGE_HEADER && this.#missing() === 0) {
        return this.#whole(received);
      }
    }
    return end === MAX_HELLO_BYTES ? { wrong: "too_large" } : "more";
  }

  /** Judges what there is of a record's header, and takes it when it is whole. */
  #openRecord(received: Uint8Array, end: number): HelloFault | "more" | undefined {
    const at = this.#at;
    const foreign = this.#records === 0 ? "not_tls" : "malformed";
    if (received[at] !== HANDSHAKE_RECORD) return foreign;
    if (end > at + 1 && received[at + 1] !== 3) return foreign;
    // any TLS may stand here, whichever is meant; 0 is SSL 3.0
    if (end > at + 2 && (received[at + 2]! < 1 || received[at + 2]! > 4)) return foreign;
    if (end < at + RECORD_HEADER) return "more";
    const length = received[at + 3]! << 8 | received[at + 4]!;
    if (length === 0 || length > MAX_FRAGMENT) return "malformed";
    this.#at += RECORD_HEADER;
    this.#left = length;
    this.#records++;
    return undefined;
  }

  /** Takes one byte of the message's header, which may be spread over four records. */
  #messageHeader(byte: number): HelloFault | undefined {
    if (this.#have > 0) this.#size = this.#size << 8 | byte;
    else if (byte !== CLIENT_HELLO) return "malformed";
    this.#skip(1);
    if (this.#have < MESSAGE_HEADER) return undefined;
    return this.#at + this.#size > MAX_HELLO_BYTES ? "too_large" : undefined;
  }

  #missing(): number {
    return MESSAGE_HEADER + this.#size - this.#have;
  }

  #skip(bytes: number): undefined {
    this.#at += bytes;
    this.#left -= bytes;
    this.#have += bytes;
  }

  #whole(received: Uint8Array): HelloResult {
    const start = RECORD_HEADER + MESSAGE_HEADER;
    const hello = this.#records === 1
      ? parseClientHello(received, start, start + this.#size)
      : parseClientHello(gather(received, this.#have), MESSAGE_HEADER, this.#have);
    return hello === undefined ? { wrong: "malformed" } : { hello };
  }
}

/** The first bytes of a message that is split over records, in one piece. */
function gather(received: Uint8Array, size: number): Uint8Array {
  const message = new Uint8Array(size);
  for (let at = 0, have = 0; have < size;) {
    const length = received[at + 3]! << 8 | received[at + 4]!;
    const from = at + RECORD_HEADER;
    const part = received.subarray(from, from + Math.min(length, size - have));
    message.set(part, have);
    have += length;
    at = from + length;
  }
  return message;
}
