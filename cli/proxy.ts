import { fixedSource } from "../lib/source/source.ts";
import type { Output } from "./output.ts";
import type { Parts } from "./parts.ts";
import { run, type RunOptions } from "./run.ts";

/** The flags of `twixt proxy`. */
export type ProxyOptions = {
  readonly balance: string;
  readonly api?: string;
  readonly workers?: number;
  readonly check: boolean;
};

/** Where a process keeps its number, and whose it takes over. */
type Place = Pick<RunOptions, "pidFile" | "takeover">;

/** Balances between backends named on the command line. Returns the exit code. */
export function proxy(
  parts: Parts,
  bind: string,
  backends: readonly string[],
  options: ProxyOptions,
  place: Place,
  output: Output,
): Promise<number> {
  const text = JSON.stringify({
    ...(options.workers === undefined ? {} : { workers: options.workers }),
    api: { enabled: options.api !== undefined, bind: options.api ?? "127.0.0.1:8888" },
    servers: {
      proxy: {
        bind,
        balance: options.balance,
        discovery: { kind: "static", static_list: backends },
        healthcheck: options.check
          ? { kind: "ping", interval: "2s", timeout: "1s" }
          : { kind: "none" },
      },
    },
  });
  // reported as if it were a file, so that a wrong argument is named by its key
  const source = fixedSource({ text, file: "arguments", format: "json" });
  return run(parts, { source, ...place }, output);
}
