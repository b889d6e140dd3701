/** From the records of an answer to those that were asked for, along aliases. Pure. */
import type { DnsRecord, RecordType } from "./message.ts";
import { MalformedError } from "./name.ts";

/** Aliases that are followed for one question. */
export const MAX_ALIASES = 16;

/** Records of one type. */
export type RecordOf<T extends RecordType> = Extract<DnsRecord, { readonly type: T }>;

/** What was found. */
export type Followed<T extends RecordType> = {
  readonly records: readonly RecordOf<T>[];
  /** How long all of it holds, aliases included; Infinity where there is nothing. */
  readonly ttlSeconds: number;
  /** Aliases on the way. */
  readonly aliases: number;
  /** Whose records they are, or would be: the name itself, or what it is an alias of. */
  readonly name: string;
};

/** The records of a name (in lower case, no dot at its end), or of what it is an alias of. @throws MalformedError for a loop. */
export function follow<T extends RecordType>(
  answers: readonly DnsRecord[],
  name: string,
  type: T,
): Followed<T> {
  let ttlSeconds = Infinity;
  for (let aliases = 0; aliases <= MAX_ALIASES; aliases++) {
    const own = answers.filter((record): record is RecordOf<T> =>
      record.type === type && record.name === name
    );
    if (own.length > 0) {
      for (const record of own) ttlSeconds = Math.min(ttlSeconds, record.ttlSeconds);
      return { records: own, ttlSeconds, aliases, name };
    }
    const alias = answers.find((record): record is RecordOf<"CNAME"> =>
      record.type === "CNAME" && record.name === name
    );
    if (alias === undefined) return { records: [], ttlSeconds, aliases, name };
    ttlSeconds = Math.min(ttlSeconds, alias.ttlSeconds);
    name = alias.target;
  }
  throw new MalformedError("has aliases (CNAME) that lead round in a circle or too far");
}
