/** The command line of the benchmark. */
import { parseArgs } from "node:util";

/** What was asked for. */
export type BenchOptions = {
  readonly rounds: number;
  /** Length of one load. */
  readonly seconds: number;
  /** Proxies by id; all when empty. */
  readonly only: readonly string[];
  /** Where to write all figures. */
  readonly json?: string | undefined;
  /** Where to write the chart. */
  readonly chart?: string | undefined;
  readonly help: boolean;
};

/** How it is used. */
export const HELP = `Usage: deno task bench [options]

Compares proxies on this machine, over loopback, in less than 5 minutes.

  --rounds N     rounds under load, 5 by default; more take longer
  --seconds N    length of one load, 1 by default
  --only A,B     only these: haproxy nginx gobetween bare twixt compiled twixt2
  --json FILE    writes every single figure
  --chart FILE   writes a chart (SVG)
`;

/** Reads arguments. @throws TypeError or RangeError that says what is wrong. */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: "string", default: "5" },
      seconds: { type: "string", default: "1" },
      only: { type: "string", default: "" },
      json: { type: "string" },
      chart: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  return {
    rounds: whole("--rounds", values.rounds),
    seconds: whole("--seconds", values.seconds),
    only: values.only.split(",").filter((id) => id !== ""),
    json: values.json,
    chart: values.chart,
    help: values.help,
  };
}

function whole(name: string, text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= 1_000) return number;
  throw new RangeError(`${name}: "${text}" is not a number from 1 to 1000`);
}
