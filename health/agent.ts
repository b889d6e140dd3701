import { z } from "zod";
import type { Advice, CheckKind, CheckResult } from "../lib/kinds.ts";
import { failure, quoted } from "./_failure.ts";
import { openTcp } from "./_link.ts";

/** The keys of `agent`. */
export type AgentOptions = { readonly agent_port: number; readonly agent_send: string };

/** Longest line of an agent. */
const MAX_LINE_BYTES = 1_024;
const MAX_PERCENT = 256;

/** Asks an agent on the backend's host, as HAProxy's agent-check does. */
export const agent: CheckKind<AgentOptions> = {
  name: "agent",
  summary: "Asks an agent as HAProxy's agent-check does: up or down, weight and drain by its word.",
  example: "agent_port = 9777",
  shape: {
    agent_port: z.int().min(1).max(65_535)
      .describe("Port of the agent on the backend's host, or at `addr`; `port` has no part in it."),
    agent_send: z.string().default("")
      .describe('What is sent before its line is read, as it stands: `"web1\\n"`.'),
  },
  async check(target, options, { signal }) {
    try {
      using link = await openTcp({ ...target, port: options.agent_port }, signal);
      if (options.agent_send !== "") await link.send(new TextEncoder().encode(options.agent_send));
      const line = new Uint8Array(MAX_LINE_BYTES);
      let length = 0;
      while (length < MAX_LINE_BYTES) {
        const chunk = await link.receive();
        if (chunk === undefined) break;
        const end = chunk.findIndex((byte) => byte === 10 || byte === 13);
        const taken = chunk.subarray(0, end < 0 ? MAX_LINE_BYTES - length : end);
        line.set(taken.subarray(0, MAX_LINE_BYTES - length), length);
        length = Math.min(MAX_LINE_BYTES, length + taken.length);
        if (end >= 0) return parseAgentLine(new TextDecoder().decode(line.subarray(0, length)));
      }
      if (length === MAX_LINE_BYTES) return { passed: false, text: "the agent's line has no end" };
      return parseAgentLine(new TextDecoder().decode(line.subarray(0, length)));
    } catch (error) {
      return failure(error, signal);
    }
  },
};

const FAILING = ["down", "fail", "failed", "stopped", "maint"];

/**
 * What an agent's line says: `75%`, `maxconn:30`, `ready`, `drain`, `maint`, `up`, `down`, `fail`, `failed` and `stopped`,
 * in any order, separated by blanks or commas; a description may follow `#`. Nothing else is asked about the backend, so
 * an agent that answers and names no failure passes; one that says nothing known fails, because it is none.
 */
export function parseAgentLine(line: string): CheckResult {
  const [said = "", ...description] = line.split("#");
  const words = said.toLowerCase().split(/[\s,]+/).filter((word) => word !== "");
  const notes: string[] = [];
  let advice: Advice = {};
  let known = 0;
  let failed = false;
  for (const word of words) {
    const percent = /^(\d{1,6})%$/.exec(word)?.[1];
    known++;
    if (percent !== undefined) {
      advice = { ...advice, weightPercent: Math.min(MAX_PERCENT, Number(percent)) };
    } else if (word === "ready") advice = { ...advice, drain: false };
    else if (word === "drain") advice = { ...advice, drain: true };
    else if (FAILING.includes(word)) {
      failed = true;
      if (word === "maint") advice = { ...advice, drain: true };
    } else if (/^maxconn:\d+$/.test(word)) notes.push(`${word} has no effect here`);
    else if (word !== "up") {
      known--;
      notes.push(`${quoted(word)} is unknown`);
    }
  }
  if (known === 0) return { passed: false, text: `no word of an agent in ${quoted(line)}` };
  const told = [words.join(" "), ...description].join(" #").trim();
  const text = [quoted(told), ...notes].join("; ");
  return { passed: !failed, text, ...Object.keys(advice).length === 0 ? {} : { advice } };
}
