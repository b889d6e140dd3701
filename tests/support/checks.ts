/** Checks as the loop makes them, and their keys as a configuration gives them. */
import { checks } from "../../health/registry.ts";
import { messageOf } from "../../lib/errors.ts";
import { loadConfig } from "../../lib/config/load.ts";
import { strategies } from "../../lib/balance/registry.ts";
import { discoveries } from "../../discovery/registry.ts";
import { runProgram } from "../../lib/host/program.ts";
import type { CheckResult, CheckTarget } from "../../lib/kinds.ts";
import type { CheckSpec } from "../../lib/model.ts";

/** What a configuration makes of the keys of a check. @throws ConfigError */
export function checkSpec(keys: Record<string, unknown>): CheckSpec {
  const servers = {
    web: {
      bind: ":0",
      discovery: { kind: "static", static_list: ["127.0.0.1:1"] },
      healthcheck: { interval: "1s", ...keys },
    },
  };
  const kinds = { strategies, discoveries, checks };
  const text = JSON.stringify({ servers });
  const { config, warnings } = loadConfig(text, { file: "x.json", format: "json", kinds });
  if (warnings.length > 0) throw new Error(warnings.map(({ message }) => message).join("\n"));
  return config.pools.get("web")!.check!;
}

/** One check of a port on loopback, within its time limit (negative: told to stop before). What it throws is a failure. */
export async function checkOnce(
  target: number | CheckTarget,
  keys: Record<string, unknown>,
  limitMs = 2_000,
): Promise<CheckResult> {
  const spec = checkSpec(keys);
  const limit = new AbortController();
  if (limitMs < 0) limit.abort();
  const timer = setTimeout(() => limit.abort(), Math.max(0, limitMs));
  const context = { signal: limit.signal, run: runProgram };
  try {
    const at = typeof target === "number"
      ? { host: "127.0.0.1", address: "127.0.0.1", port: target }
      : target;
    return await checks.get(spec.kind).check(at, spec.options, context);
  } catch (error) {
    return { passed: false, text: messageOf(error) };
  } finally {
    clearTimeout(timer);
  }
}
