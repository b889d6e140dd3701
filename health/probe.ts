import { z } from "zod";
import type { CheckKind, CheckResult, CheckTarget, KeyProblem } from "../lib/kinds.ts";
import { decodeGoEscapes } from "../lib/go_escapes.ts";
import { tlsFiles, tlsProblems, tlsShape } from "../lib/net/tls_keys.ts";
import { tlsOptions } from "../lib/net/tls_options.ts";
import { compilePattern } from "../lib/pattern.ts";
import { type Expectation, expectPattern, expectStart } from "./_expectation.ts";
import { failure, quoted } from "./_failure.ts";
import { type Link, openTcp, openTls, openUdp } from "./_link.ts";

/** The keys of `probe`. */
export type ProbeOptions = {
  readonly probe_protocol: "tcp" | "udp" | "tls";
  readonly probe_strategy: "starts_with" | "regexp";
  readonly probe_send: string;
  readonly probe_recv: string;
  readonly probe_recv_len: number;
  readonly [tlsKey: `probe_tls_${string}`]: unknown;
};

/** Longest answer that a pattern is matched against. */
const MAX_RECV_BYTES = 65_536;

/** Says something to the backend, and passes when it answers as it should. */
export const probe: CheckKind<ProbeOptions> = {
  name: "probe",
  summary: "Sends bytes by TCP, TLS or UDP and passes when the answer is as expected.",
  example: String.raw`probe_protocol = "tcp"
probe_send = 'PING\r\n'
probe_recv = '+PONG'`,
  shape: {
    probe_protocol: z.enum(["tcp", "udp", "tls"]).describe("How the backend is spoken to."),
    probe_strategy: z.preprocess(
      (given) => given === "" ? undefined : given,
      z.enum(["starts_with", "regexp"]).default("starts_with"),
    ).describe(
      "`starts_with`: the answer begins with probe_recv. `regexp`: probe_recv is a pattern in Go's dialect, and passes " +
        "as soon as it matches anywhere in the up to probe_recv_len bytes that have come.",
    ),
    probe_send: z.string().default("").describe(
      "What is sent, with Go's escapes (`\\n`, `\\x00`); nothing where the backend speaks first.",
    ),
    probe_recv: z.string().min(1).describe(
      "What is expected; with Go's escapes for `starts_with`.",
    ),
    probe_recv_len: z.int().min(0).max(MAX_RECV_BYTES).default(0)
      .describe("For `regexp`: the bytes of the answer that are looked at, at most."),
    ...tlsShape("probe"),
  },
  problems: (options) => [...probeProblems(options), ...tlsProblems("probe", options)],
  async check(target, options, { signal }) {
    try {
      const expectation = expectationOf(options);
      using link = await open(target, options, signal);
      const send = decodeGoEscapes(options.probe_send) as Uint8Array; // checked with the configuration
      if (send.length > 0) await link.send(send);
      return await judge(link, expectation, signal);
    } catch (error) {
      return failure(error, signal);
    }
  },
};

function open(target: CheckTarget, options: ProbeOptions, signal: AbortSignal): Promise<Link> {
  switch (options.probe_protocol) {
    case "tcp":
      return openTcp(target, signal);
    case "udp":
      return openUdp(target, signal);
    case "tls":
      return openTls(target, tlsOptions(tlsFiles("probe", options)), signal);
  }
}

/** Reads until the answer is right or wrong. Its end and the time limit make a decision of what has come. */
async function judge(
  link: Link,
  { maxBytes, verdict, wanted }: Expectation,
  signal: AbortSignal,
): Promise<CheckResult> {
  const buffer = new Uint8Array(maxBytes);
  let length = 0;
  for (;;) {
    let chunk: Uint8Array | undefined;
    try {
      chunk = await link.receive();
    } catch (error) {
      if (!signal.aborted && length === 0) throw error; // what came before a reset still counts
    }
    const taken = chunk?.subarray(0, maxBytes - length) ?? new Uint8Array();
    buffer.set(taken, length);
    length += taken.length;
    const came = buffer.subarray(0, length);
    const right = verdict(came, chunk === undefined || length === maxBytes);
    if (right === true) return { passed: true, text: "answered as expected" };
    if (right === undefined) continue;
    const answer = length > 0
      ? `answered ${quoted(new TextDecoder().decode(came))}`
      : signal.aborted
      ? "no answer in time"
      : "closed without an answer";
    return { passed: false, text: length > 0 ? `${answer}, expected ${wanted}` : answer };
  }
}

function expectationOf(options: ProbeOptions): Expectation {
  const { probe_strategy, probe_recv, probe_recv_len } = options;
  const problem = probeProblems(options)[0]; // none: the configuration's check has seen them
  if (problem !== undefined) throw new Error(`${problem.key} ${problem.message}`);
  return probe_strategy === "regexp"
    ? expectPattern(probe_recv, probe_recv_len)
    : expectStart(decodeGoEscapes(probe_recv) as Uint8Array, quoted(probe_recv));
}

/** What is wrong with the keys together. */
export function probeProblems(options: ProbeOptions): KeyProblem[] {
  const { probe_protocol, probe_strategy, probe_send, probe_recv, probe_recv_len } = options;
  const problems: KeyProblem[] = [];
  const add = (key: string, message: string) => void problems.push({ key, message });
  const send = decodeGoEscapes(probe_send);
  if (typeof send === "string") add("probe_send", send);
  else if (send.length === 0 && probe_protocol === "udp") {
    add("probe_send", "is empty\nby UDP nobody answers who wasn't asked");
  }
  if (probe_strategy === "regexp") {
    const compiled = compilePattern(probe_recv);
    if (typeof compiled === "string") add("probe_recv", compiled);
    if (probe_recv_len === 0) {
      add("probe_recv_len", "is missing\nsay how many bytes of the answer are looked at, at most");
    }
  } else {
    const recv = decodeGoEscapes(probe_recv);
    if (typeof recv === "string") add("probe_recv", recv);
    else if (probe_recv_len !== 0 && probe_recv_len !== recv.length) {
      add("probe_recv_len", `${probe_recv_len} is not the length of probe_recv\nremove it`);
    }
  }
  if (probe_protocol === "tls") return problems;
  for (const [key, value] of Object.entries(options)) {
    if (key.startsWith("probe_tls_") && value !== "" && value !== false) {
      add(key, `has no effect with probe_protocol = "${probe_protocol}"\nremove it`);
    }
  }
  return problems;
}
