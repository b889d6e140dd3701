import { ConfigError, messageOf, printProblem, StartError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { Config } from "../lib/model.ts";
import { probe } from "../lib/net/probe.ts";
import { type Balancer, setCapacity, startApi } from "./balancer.ts";
import type { Parts } from "./parts.ts";
import type { Loaded } from "./run.ts";

/**
 * Validates and applies the configuration anew. One that can't be used changes nothing and is told to the log;
 * this never throws.
 */
export async function reload(
  parts: Parts,
  load: () => Promise<Loaded>,
  balancer: Balancer,
  log: Log,
): Promise<void> {
  const before = balancer.supervisor.config();
  try {
    const { config, warnings } = await load();
    for (const warning of warnings) log.warning(printProblem(warning));
    if (apiMoves(before, config)) probe(config.api!.bind, "the API");
    const changes = await balancer.supervisor.apply(config);
    setCapacity(balancer, config, log);
    for (const key of needsRestart(before, config)) {
      log.warning(`a changed ${key} takes effect with the next start`);
    }
    log.info(`reloaded: ${changes}`);
    await changeApi(parts, balancer, before, config, log);
  } catch (error) {
    log.error("the new configuration isn't used, the old one stays in force");
    for (const line of reasons(error)) log.error(line);
  }
}

/** Does the API get another address? */
function apiMoves(before: Config, after: Config): boolean {
  return after.api !== undefined && after.api.bind.port !== 0 &&
    after.api.bind.text !== before.api?.bind.text;
}

/** Starts the API anew where its section has changed; at a new address before the old one closes. */
async function changeApi(
  parts: Parts,
  balancer: Balancer,
  before: Config,
  after: Config,
  log: Log,
): Promise<void> {
  if (JSON.stringify(before.api) === JSON.stringify(after.api)) return;
  const old = balancer.api;
  try {
    if (!apiMoves(before, after)) await old?.close();
    balancer.api = after.api &&
      await startApi(parts, after.api, balancer.supervisor, balancer.descriptors, log);
    await old?.close();
  } catch (error) {
    for (const line of reasons(error)) log.error(line);
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
  if (before.process.watchdogMs !== after.process.watchdogMs) changed.push("watchdog");
  if (JSON.stringify(before.logging) !== JSON.stringify(after.logging)) changed.push("[logging]");
  return changed;
}
