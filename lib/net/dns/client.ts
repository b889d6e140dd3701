/** Asks DNS servers of one's choice: again when nobody answers, over TCP when the answer is too long, along aliases. */
import { DiscoveryError, messageOf } from "../../errors.ts";
import { TimeLimit } from "../../time_limit.ts";
import { type DnsProtocol, type DnsServerAddress, exchange } from "./exchange.ts";
import { follow, MAX_ALIASES, type RecordOf } from "./follow.ts";
import type { DnsRecord, Message, RecordType } from "./message.ts";
import { canonical, faultOfName, MalformedError } from "./name.ts";

export type { DnsProtocol, DnsServerAddress } from "./exchange.ts";

/** What the server says of a name is no use: an error, or aliases without end. Other names may fare better. */
export class DnsError extends DiscoveryError {
  /** `rcode` is the error by its name in DNS, "NXDOMAIN"; empty when the answer was none. */
  constructor(name: string, why: string, readonly rcode: string = "", cause?: unknown) {
    super(`${JSON.stringify(name)} ${why}`, { cause });
  }
}

/** Whom to ask, and how. */
export type DnsClient = {
  /** In the order of asking; at least one. */
  readonly servers: readonly DnsServerAddress[];
  readonly protocol: DnsProtocol;
};

/** Records of the type that was asked for; none is an answer, too. */
export type Found<T extends RecordType> = {
  readonly records: readonly RecordOf<T>[];
  /** How long they hold. Infinity where there are none. */
  readonly ttlMs: number;
  /** What the server told beside: the addresses of SRV targets, or some of them. */
  readonly additional: readonly DnsRecord[];
};

/** First wait for an answer before the next try, over either protocol; doubled with each round, up to the last. */
const WAIT_MS: Readonly<Record<DnsProtocol, number>> = { udp: 1_000, tcp: 2_000 };
const MAX_WAIT_MS = 8_000;

const NXDOMAIN = 3;
const BADVERS = 16;
const RCODES: readonly string[] = [
  ...["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"],
];
/** What servers say that don't know the OPT record. */
const WITHOUT_EDNS: readonly number[] = [1, 4, BADVERS];

/**
 * Asks for the records of a name until somebody answers or `signal` aborts.
 *
 * @throws DnsError when the answer is an error; DiscoveryError when no server can be reached, or an answer can't be read.
 */
export async function resolve<T extends RecordType>(
  client: DnsClient,
  name: string,
  type: T,
  signal: AbortSignal,
): Promise<Found<T>> {
  let wanted = canonical(name);
  let ttlSeconds = Infinity;
  for (let aliases = 0; aliases <= MAX_ALIASES;) {
    const fault = faultOfName(wanted);
    if (fault !== undefined) throw new DnsError(name, `leads to a name that can't be: ${fault}`);
    const { answers, additional } = await answerOf(client, wanted, type, signal);
    const found = followed(answers, wanted, type);
    ttlSeconds = Math.min(ttlSeconds, found.ttlSeconds);
    // a server that doesn't follow an alias may still know what it stands for
    if (found.records.length > 0 || found.aliases === 0) {
      const ttlMs = found.records.length > 0 ? ttlSeconds * 1000 : Infinity;
      return { records: found.records, ttlMs, additional };
    }
    wanted = found.name;
    aliases += found.aliases;
  }
  throw new DnsError(name, "has too many aliases (CNAME)");
}

function followed<T extends RecordType>(answers: readonly DnsRecord[], name: string, type: T) {
  try {
    return follow(answers, name, type);
  } catch (error) {
    throw new DnsError(name, messageOf(error), "", error);
  }
}

function errorOf(name: string, rcode: number): DnsError {
  const word = RCODES[rcode] ?? `error ${rcode}`;
  const why = rcode === NXDOMAIN ? "doesn't exist" : "can't be answered";
  return new DnsError(name, `${why} (the DNS server says ${word})`, word);
}

/**
 * The first good answer of any server. Silent ones are asked again and again; an error counts when all have been asked, as
 * another might know better.
 */
async function answerOf(
  { servers, protocol }: DnsClient,
  name: string,
  type: RecordType,
  signal: AbortSignal,
): Promise<Message> {
  for (let round = 0;; round++) {
    const waitMs = Math.min(MAX_WAIT_MS, WAIT_MS[protocol] * 2 ** round);
    let told: DnsError | undefined;
    let unusable: unknown;
    let late = false;
    for (const server of servers) {
      const asked = await within(
        waitMs,
        signal,
        (limit) => ask(server, protocol, name, type, limit),
      );
      if ("message" in asked) {
        const { rcode } = asked.message;
        if (rcode === 0) return asked.message;
        told = errorOf(name, rcode);
        if (rcode === NXDOMAIN) throw told; // it knows; another wouldn't know better
      } else {
        unusable = asked.error;
        late ||= asked.late;
      }
      if (signal.aborted) break;
    }
    if (told !== undefined) throw told;
    if (!late || signal.aborted) {
      throw new DiscoveryError(messageOf(unusable), { cause: unusable });
    }
  }
}

/** Asks one server once: over TCP what is too long for UDP, in the old way where it doesn't know the new one. */
async function ask(
  server: DnsServerAddress,
  protocol: DnsProtocol,
  name: string,
  type: RecordType,
  signal: AbortSignal,
): Promise<Message> {
  const once = async (protocol: DnsProtocol, edns: boolean): Promise<Message> => {
    const [id] = crypto.getRandomValues(new Uint16Array(1));
    const message = await exchange(server, protocol, { id: id!, name, type, edns }, signal);
    if (!message.truncated) return message;
    if (protocol === "tcp") {
      throw new MalformedError("an answer is cut off although it came over TCP");
    }
    return await once("tcp", edns);
  };
  const message = await once(protocol, true);
  return WITHOUT_EDNS.includes(message.rcode) ? await once(protocol, false) : message;
}

type Asked =
  | { readonly message: Message }
  | { readonly error: unknown; readonly late: boolean };

/** Runs it with a signal that aborts after `ms` or with `outer`. Never rejects. */
async function within(
  ms: number,
  outer: AbortSignal,
  run: (signal: AbortSignal) => Promise<Message>,
): Promise<Asked> {
  using limit = new TimeLimit(ms, outer);
  try {
    return { message: await run(limit.signal) };
  } catch (error) {
    return { error, late: limit.signal.aborted };
  }
}
