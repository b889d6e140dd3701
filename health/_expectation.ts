/** What a probe expects of an answer that comes in pieces. Pure. */
import { compilePattern } from "../lib/pattern.ts";

/** Judges the beginning of an answer. */
export type Expectation = {
  /** Bytes of the answer that matter. */
  readonly maxBytes: number;
  /** What is expected, for people. */
  readonly wanted: string;
  /** Is what has come right, wrong, or (undefined) not enough yet? `last`: nothing more will come. */
  verdict(came: Uint8Array, last: boolean): boolean | undefined;
};

/** The answer begins with these bytes. Wrong with the first byte that differs. */
export function expectStart(expected: Uint8Array, wanted: string): Expectation {
  return {
    maxBytes: expected.length,
    wanted,
    verdict(came, last) {
      const start = came.subarray(0, expected.length);
      if (!start.every((byte, index) => byte === expected[index])) return false;
      return came.length >= expected.length ? true : last ? false : undefined;
    },
  };
}

/** Below this every piece is looked at; above, only when a sixteenth more has come: drops cost no square of time. */
const EACH_BYTES = 4_096;

/** A pattern matches somewhere in the first `maxBytes`. @throws Error for one that is none. */
export function expectPattern(source: string, maxBytes: number): Expectation {
  const pattern = compilePattern(source);
  if (typeof pattern === "string") throw new Error(pattern);
  let looked = -1;
  return {
    maxBytes,
    wanted: `a match of ${JSON.stringify(source)}`,
    verdict(came, last) {
      const due = came.length <= EACH_BYTES || came.length >= looked * 17 / 16;
      if (!last && !due) return undefined;
      looked = came.length;
      return pattern.test(new TextDecoder().decode(came)) ? true : last ? false : undefined;
    },
  };
}
