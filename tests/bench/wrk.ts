/** wrk, the client. */
import { isTls, type Load, type PlainLoad, plainOf } from "./results.ts";

/** Connections at the same time. */
export const CONNECTIONS: { readonly [load in PlainLoad]: number } = {
  keepalive: 64,
  short: 64,
  bulk: 4,
};

/** What wrk says of a run. */
export type WrkReport = {
  readonly requests: number;
  readonly bytes: number;
  readonly us: number;
  readonly p50: number;
  readonly p99: number;
  readonly errors: number;
};

/** Makes wrk report whole numbers, which its own text rounds. */
export const SCRIPT = `
done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\\nREPORT {"requests":%d,"bytes":%.0f,"us":%d,"p50":%.0f,"p99":%.0f,"errors":%d}\\n',
    summary.requests, summary.bytes, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end`;

/** A run of wrk against a port of loopback. */
export type WrkRun = {
  readonly wrk: string;
  /** {@link SCRIPT} as a file. */
  readonly script: string;
  readonly port: number;
  readonly load: Load;
  readonly seconds: number;
};

/** Runs it. @throws Error when it fails or doesn't end. */
export async function runWrk(
  { wrk, script, port, load, seconds }: WrkRun,
): Promise<WrkReport> {
  const plain = plainOf(load);
  const header = `Connection: ${plain === "short" ? "close" : "keep-alive"}`;
  const scheme = isTls(load) ? "https" : "http";
  const url = `${scheme}://127.0.0.1:${port}/${plain === "bulk" ? "large" : "small"}`;
  const args = [
    "-t",
    1,
    "-c",
    CONNECTIONS[plain],
    "-d",
    `${seconds}s`,
    "--latency",
    "-H",
    header,
  ];
  const child = new Deno.Command(wrk, {
    args: [...args.map(String), "-s", script, url],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(
    () => child.kill("SIGKILL"),
    seconds * 1_000 + 15_000,
  );
  const { stdout, stderr } = await child.output();
  clearTimeout(timer);
  const said = new TextDecoder().decode(stdout) +
    new TextDecoder().decode(stderr);
  return parseReport(said);
}

/** Finds the line that {@link SCRIPT} has written. */
export function parseReport(said: string): WrkReport {
  const [, report] = /^REPORT (.*)$/m.exec(said) ?? [];
  if (report === undefined) {
    throw new Error(`wrk said nothing that can be used:\n${said}`);
  }
  return JSON.parse(report);
}
