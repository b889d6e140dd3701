/** DNS messages: questions to bytes, bytes to answers. Pure; answers are read as hostile. */
import { canonical, encodeName, MalformedError, readName } from "./name.ts";

/** The types of records that are asked for or followed; all others are passed over. */
export const TYPES = { A: 1, CNAME: 5, AAAA: 28, SRV: 33 } as const;
/** One of them by name. */
export type RecordType = keyof typeof TYPES;

const IN = 1;
const OPT = 41;
const HEADER_BYTES = 12;
/** What we can take over UDP: never split on any usual path. Longer answers come over TCP. */
const UDP_BYTES = 1232;

/** What is asked. */
export type Question = {
  /** 0 to 65535; the answer repeats it. */
  readonly id: number;
  readonly name: string;
  readonly type: RecordType;
  /** Says how long an answer may be. Some old servers can't read that. */
  readonly edns: boolean;
};

type Common = {
  /** Whose record it is, in lower case and without a dot at its end, as all names here. */
  readonly name: string;
  readonly ttlSeconds: number;
};

/** A record of a type that we know. */
export type DnsRecord =
  | Common & {
    readonly type: "A" | "AAAA";
    /** An address literal without brackets. */
    readonly address: string;
  }
  | Common & { readonly type: "CNAME"; readonly target: string }
  | Common & {
    readonly type: "SRV";
    /** 0 to 65535, as weight and port are. */
    readonly priority: number;
    readonly weight: number;
    readonly port: number;
    readonly target: string;
  };

/** An answer. */
export type Message = {
  readonly id: number;
  /** False for a question. */
  readonly response: boolean;
  /** There was more than fits: its records are left out here. */
  readonly truncated: boolean;
  /** 0 is no error, 3 that the name doesn't exist. */
  readonly rcode: number;
  readonly questions: readonly {
    readonly name: string;
    readonly type: number;
    readonly class: number;
  }[];
  readonly answers: readonly DnsRecord[];
  readonly additional: readonly DnsRecord[];
};

/** The bytes of a question. @throws MalformedError for a name that can't be asked for. */
export function encodeQuestion({ id, name, type, edns }: Question): Uint8Array<ArrayBuffer> {
  const wanted = [...encodeName(name), 0, TYPES[type], 0, IN];
  // recursion desired; one question; OPT has the root as its name, and our size as its class
  const head = [id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, edns ? 1 : 0];
  const opt = edns ? [0, 0, OPT, UDP_BYTES >> 8, UDP_BYTES & 255, 0, 0, 0, 0, 0, 0] : [];
  return Uint8Array.from([...head, ...wanted, ...opt]);
}

/** Does this message answer that question? Errors may come without the question. */
export function answersTo(message: Message, { id, name, type }: Question): boolean {
  if (!message.response || message.id !== id || message.questions.length > 1) return false;
  const [asked] = message.questions;
  if (asked === undefined) return message.rcode !== 0;
  return asked.name === canonical(name) && asked.type === TYPES[type] && asked.class === IN;
}

/** Reads a message. @throws MalformedError that says how it breaks the format. */
export function decodeMessage(bytes: Uint8Array): Message {
  if (bytes.length < HEADER_BYTES) throw new MalformedError("it is shorter than a header");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const counts = [4, 6, 8, 10].map((at) => view.getUint16(at));
  const flags = view.getUint16(2);
  const truncated = (flags & 0x0200) !== 0;
  const questions: Message["questions"][number][] = [];
  let at = HEADER_BYTES;
  for (let i = 0; i < counts[0]!; i++) {
    const { name, next } = readName(bytes, at);
    need(bytes, next + 4);
    questions.push({ name, type: view.getUint16(next), class: view.getUint16(next + 2) });
    at = next + 4;
  }
  const sections: DnsRecord[][] = [[], [], []];
  let extended = 0;
  // what has been cut off may have been cut anywhere
  for (const [i, section] of truncated ? [] : sections.entries()) {
    for (let left = counts[i + 1]!; left > 0; left--) {
      const read = readRecord(bytes, view, at);
      if (read.record !== undefined) section.push(read.record);
      extended = read.rcode ?? extended;
      at = read.next;
    }
  }
  return {
    id: view.getUint16(0),
    response: (flags & 0x8000) !== 0,
    truncated,
    rcode: (extended << 4) | (flags & 15),
    questions,
    answers: sections[0]!,
    additional: sections[2]!,
  };
}

type Read = {
  readonly record?: DnsRecord | undefined;
  /** The upper bits of the response code, which are in OPT. */
  readonly rcode?: number;
  readonly next: number;
};

function readRecord(bytes: Uint8Array, view: DataView, at: number): Read {
  const { name, next } = readName(bytes, at);
  need(bytes, next + 10);
  const type = view.getUint16(next);
  const ttl = view.getUint32(next + 4);
  const from = next + 10;
  const end = from + view.getUint16(next + 8);
  need(bytes, end);
  if (type === OPT) return { rcode: ttl >>> 24, next: end };
  if (view.getUint16(next + 2) !== IN) return { next: end };
  const ttlSeconds = ttl > 0x7fffffff ? 0 : ttl; // RFC 2181, section 8
  return { record: readData({ name, ttlSeconds }, type, bytes, view, from, end), next: end };
}

function readData(
  common: Common,
  type: number,
  bytes: Uint8Array,
  view: DataView,
  from: number,
  end: number,
): DnsRecord | undefined {
  const long = end - from;
  switch (type) {
    case TYPES.A:
      if (long !== 4) throw new MalformedError("an A record has no 4 bytes");
      return { ...common, type: "A", address: bytes.subarray(from, end).join(".") };
    case TYPES.AAAA:
      if (long !== 16) throw new MalformedError("an AAAA record has no 16 bytes");
      return { ...common, type: "AAAA", address: printIPv6(view, from) };
    case TYPES.CNAME:
      return { ...common, type: "CNAME", target: nameUpTo(bytes, from, end) };
    case TYPES.SRV: {
      if (long < 7) throw new MalformedError("an SRV record is too short");
      const [priority, weight, port] = [0, 2, 4].map((i) => view.getUint16(from + i));
      const target = nameUpTo(bytes, from + 6, end);
      return {
        ...common,
        ...{ type: "SRV", priority: priority!, weight: weight!, port: port!, target },
      };
    }
    default:
      return undefined;
  }
}

/** A name that fills the rest of a record. */
function nameUpTo(bytes: Uint8Array, from: number, end: number): string {
  const { name, next } = readName(bytes, from);
  if (next !== end) throw new MalformedError("a record is as long as it doesn't say");
  return name;
}

function printIPv6(view: DataView, at: number): string {
  const groups = Array.from({ length: 8 }, (_, i) => view.getUint16(at + 2 * i).toString(16));
  return new URL(`http://[${groups.join(":")}]/`).hostname.slice(1, -1); // the one way to write it
}

function need(bytes: Uint8Array, end: number): void {
  if (end > bytes.length) throw new MalformedError("it is cut off");
}
