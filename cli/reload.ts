import type { Configuration } from "../lib/configuration.ts";
import type { BaseText } from "../lib/source/source.ts";
import type { Config } from "../lib/model.ts";
import { probe } from "../lib/net/probe.ts";
import { reasonsOf } from "../lib/reloads.ts";
import { type ApiSetup, startApi } from "./api.ts";
import type { Balancer } from "./balancer.ts";
import { setCapacity } from "./capacity.ts";

/** An address is free soon after its listener was closed. */
const FREED_MS = 500;

/** Reloads because a signal said so, or because the source has told of this text. It never throws: failures are logged. */
export async function reload(configuration: Configuration, base?: BaseText): Promise<void> {
  await configuration.reload(base === undefined ? "signal" : "source", base).catch(() => {});
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
    for (const line of reasonsOf(error)) setup.log.error(line);
  }
}

function needsRestart(before: Config, after: Config): string[] {
  const changed: string[] = [];
  if (before.process.workers !== after.process.workers) changed.push("workers");
  if (before.process.stateFile !== after.process.stateFile) changed.push("state_file");
  if (before.process.watchdogMs !== after.process.watchdogMs) changed.push("watchdog");
  if (JSON.stringify(before.logging) !== JSON.stringify(after.logging)) changed.push("[logging]");
  return changed;
}
