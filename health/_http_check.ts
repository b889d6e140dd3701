/** What `http` and `https` have in common: the same keys, one request, one judgement. */
import { z } from "zod";
import { backendKey } from "../lib/model.ts";
import type { CheckResult, CheckTarget, KeyProblem } from "../lib/kinds.ts";
import { type Answer, request } from "../lib/net/request.ts";
import type { TlsOptions } from "../lib/net/tls_options.ts";
import { pattern } from "../lib/config/pattern.ts";
import { compilePattern } from "../lib/pattern.ts";
import { failure } from "./_failure.ts";

/** The keys of both. */
export type HttpOptions = {
  readonly http_method: "GET" | "HEAD";
  readonly http_path: string;
  readonly http_host: string;
  readonly http_status: string;
  readonly http_body_contains: string;
  readonly http_body_matches: string;
  readonly http_headers: Readonly<Record<string, string>>;
};

/** Beginning of a body that is looked at. */
const MAX_BODY_BYTES = 65_536;
const STATUS_HINT = 'write codes and ranges, for example "200,300-399"';
/** Headers that are made by the request itself. */
const OURS = ["connection", "content-length", "expect", "transfer-encoding", "upgrade"];

/** The keys of both kinds. */
export const httpShape: z.ZodRawShape = {
  http_method: z.enum(["GET", "HEAD"]).default("GET").describe("Method of the request."),
  http_path: z.string().regex(
    /^\/[!-"$-~]*$/,
    "is not a path\nit begins with /, without blanks or #",
  )
    .default("/").describe("Path and query of the request."),
  http_host: z.string().regex(/^[!-~]*$/, "is not a Host header").default("")
    .describe("The Host header; if empty, the backend's host and port."),
  http_status: z.string().superRefine((text, context) => {
    if (parseStatusRanges(text) !== undefined) return;
    const message = `${JSON.stringify(text)} is no list of status codes\n${STATUS_HINT}`;
    context.addIssue({ code: "custom", message });
  }).default("200-399").describe(
    "Status codes and ranges of them that pass. Redirects aren't followed.",
  ),
  http_body_contains: z.string().default("")
    .describe("Text that the first 64 KiB of the body must contain."),
  http_body_matches: pattern("What must match in the first 64 KiB of the body.")
    .default(""),
  http_headers: z.record(
    z.string(),
    z.string().regex(/^[\t -~\u0080-\u00ff]*$/, "has characters that no header may have"),
  ).superRefine((headers, context) => {
    for (const name of Object.keys(headers)) {
      const message = headerProblem(name.toLowerCase());
      if (message !== undefined) context.addIssue({ code: "custom", path: [name], message });
    }
  }).default({}).describe("Further headers of the request."),
};

function headerProblem(name: string): string | undefined {
  if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(name)) return "is not a header's name";
  if (name === "host") return "has its own key\nwrite http_host";
  return OURS.includes(name) ? "can't be set: the request needs its own" : undefined;
}

/** What is wrong with the keys together. */
export function httpProblems(options: HttpOptions): KeyProblem[] {
  if (options.http_method !== "HEAD") return [];
  return (["http_body_contains", "http_body_matches"] as const)
    .filter((key) => options[key] !== "")
    .map((key) => ({ key, message: 'needs a body, and HEAD has none\nset http_method = "GET"' }));
}

/** Asks once. TLS where `tls` says how. */
export async function checkHttp(
  target: CheckTarget,
  options: HttpOptions,
  signal: AbortSignal,
  tls?: () => TlsOptions,
): Promise<CheckResult> {
  const body = options.http_body_contains !== "" || options.http_body_matches !== "";
  const [path = "/", ...query] = options.http_path.split("?");
  const url = new URL(`${tls === undefined ? "http" : "https"}://${backendKey(target)}`);
  url.pathname = path;
  url.search = query.join("?");
  try {
    const answer = await request({
      url,
      dial: target,
      method: options.http_method,
      headers: {
        "user-agent": "twixt",
        accept: "*/*",
        ...lowerCase(options.http_headers),
        ...options.http_host === "" ? {} : { host: options.http_host },
      },
      tls: tls?.(),
      maxBytes: body ? MAX_BODY_BYTES : 0,
      cut: true,
      signal,
    });
    return judge(answer, options);
  } catch (error) {
    return failure(error, signal);
  }
}

function lowerCase(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
}

/** What an answer says of the backend. */
export function judge(
  { status, text }: Pick<Answer, "status" | "text">,
  options: HttpOptions,
): CheckResult {
  const { http_status, http_body_contains, http_body_matches } = options;
  const wanted = parseStatusRanges(http_status) ?? [];
  if (!wanted.some(([first, last]) => status >= first && status <= last)) {
    return { passed: false, text: `status ${status}, expected ${http_status}` };
  }
  if (!text.includes(http_body_contains)) {
    const sought = JSON.stringify(http_body_contains);
    return { passed: false, text: `status ${status}, but the body doesn't contain ${sought}` };
  }
  const compiled = compilePattern(http_body_matches);
  if (typeof compiled === "string" || !compiled.test(text)) {
    const sought = JSON.stringify(http_body_matches);
    return { passed: false, text: `status ${status}, but the body doesn't match ${sought}` };
  }
  return { passed: true, text: `status ${status}` };
}

/** Ranges of status codes, ends included, from `200,300-399`; undefined for anything else. */
export function parseStatusRanges(
  text: string,
): readonly (readonly [number, number])[] | undefined {
  const ranges: [number, number][] = [];
  for (const part of text.split(",")) {
    const [, first, last = first] = /^\s*([1-5]\d\d)(?:-([1-5]\d\d))?\s*$/.exec(part) ?? [];
    if (first === undefined || Number(last) < Number(first)) return undefined;
    ranges.push([Number(first), Number(last)]);
  }
  return ranges;
}
