import type { Configuration } from "../lib/configuration.ts";
import { ConfigError, messageOf, printProblem, StartError } from "../lib/errors.ts";
import type { BaseText } from "../lib/source/source.ts";
import type { Log } from "../lib/log.ts";
import type { Config } from "../lib/model.ts";
import { probe } from "../lib/net/probe.ts";
import { type ApiSetup, startApi } from "./api.ts";
import type { Balancer } from "./balancer.ts";
import { setCapacity } from "./capacity.ts";

/** An address is free soon after its listener was closed. */
const FREED_MS = 500;

/**
 * Reloads because a signal said so, or because the source has told of this text: what is wrong is told to the log; this
 * never throws.
 */
export async function reload(
  configuration: Configuration,
  log: Log,
  base?: BaseText,
): Promise<void> {
  try {
    await configuration.reload(base);
  } catch (error) {
    log.error("the new configuration isn't used, the old one stays in force");
    if (error instanceof ConfigError) {
      for (const warning of error.warnings) log.warning(printProblem(warning));
    }
    for (const line of reasons(error)) log.error(line);
  }
}

/** What a reload means for all that isn't the supervisor's. It never throws: servers and pools have changed already. */
export async function afterReload(
  balancer: Balancer,
  setup: ApiSetup,
  before: Config,
  after: Config,
): Promise<void> {
  setCapacity(balancer, after, setup.log);
  for (const key of needsRestart(before, after)) {
    setup.log.warning(`a changed ${key} takes effect with the next start`);
  }
  await changeApi(balancer, setup, before, after);
}

/** Finds out before anything changes whether the API can listen where it shall. @throws StartError */
export function probeApi(before: Config, after: Config): void {
  if (apiMoves(before, after)) probe(after.api!.bind, "the API");
}

/** Does the API get another address? */
function apiMoves(before: Config, after: Config): boolean {
  return after.api !== undefined && after.api.bind.port !== 0 &&
    after.api.bind.text !== before.api?.bind.text;
}

/**
 * Starts the API anew where its section has changed; at a new address before the old one closes. The old one isn't
 * waited for: the request that asked for this may be one of those that it lets finish.
 */
async function changeApi(
  balancer: Balancer,
  setup: ApiSetup,
  before: Config,
  after: Config,
): Promise<void> {
  const old = balancer.api;
  const missing = after.api !== undefined && old === undefined;
  if (JSON.stringify(before.api) === JSON.stringify(after.api) && !missing) return;
  try {
    if (!apiMoves(before, after)) void old?.close(); // never rejects, and ends by itself
    balancer.api = after.api && await startApi(after.api, setup, FREED_MS);
    void old?.close();
  } catch (error) {
    for (const line of reasons(error)) setup.log.error(line);
  }
}

/** What is wrong, one line each. */
function reasons(error: unknown): string[] {
  const texts = error instanceof ConfigError
    ? error.problems.map(printProblem)
    : [error instanceof StartError ? `${error.message}\n${error.hint}` : messageOf(error)];
  return texts.map((text) => text.replace(/\s*\n\s*/g, "; "));
}

function needsRestart(before: Config, after: Config): string[] {
  const changed: string[] = [];
  if (before.process.workers !== after.process.workers) changed.push("workers");
  if (before.process.stateFile !== after.process.stateFile) changed.push("state_file");
  if (before.process.watchdogMs !== after.process.watchdogMs) changed.push("watchdog");
  if (JSON.stringify(before.logging) !== JSON.stringify(after.logging)) changed.push("[logging]");
  return changed;
}
