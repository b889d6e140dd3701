import { StartError } from "../lib/errors.ts";
import type { CheckResult } from "../lib/kinds.ts";
import { isOurs, whatHappened } from "../lib/net/errors.ts";

/** The result of a check that broke off. Our own limits, and files of ours that can't be read, say nothing of the backend. */
export function failure(error: unknown, signal: AbortSignal): CheckResult {
  if (signal.aborted) return { passed: false, text: "timed out" };
  const ours = isOurs(error) || error instanceof StartError;
  return { passed: false, text: whatHappened(error), ours };
}

/** A short piece of what a backend has said, for people. */
export function quoted(said: string): string {
  const short = said.length > 60 ? `${said.slice(0, 59)}…` : said;
  return JSON.stringify(short);
}
