import type { ApiServer } from "../api/serve.ts";
import { printHostPort } from "../lib/address.ts";
import { systemClock } from "../lib/clock.ts";
import type { Control } from "../lib/control.ts";
import { StartError } from "../lib/errors.ts";
import { descriptorBudget } from "../lib/host/budget.ts";
import type { Log } from "../lib/log.ts";
import type { ApiSpec } from "../lib/model.ts";
import { classify } from "../lib/net/errors.ts";
import type { Parts } from "./parts.ts";

const RETRY_MS = 20;

/** What an API is started with, beside its section of the configuration. */
export type ApiSetup = {
  readonly parts: Parts;
  readonly control: Control;
  /** The soft limit of descriptors, if known. */
  readonly descriptors: number | undefined;
  readonly log: Log;
};

/**
 * Starts the API and says where it listens. The caller closes it.
 *
 * @param patienceMs How long to wait for an address that is about to be free.
 * @throws StartError
 */
export async function startApi(
  spec: ApiSpec,
  { parts, control, descriptors, log }: ApiSetup,
  patienceMs = 0,
): Promise<ApiServer> {
  const { api: most } = descriptorBudget(descriptors, 0);
  const end = systemClock.now() + patienceMs;
  for (;;) {
    try {
      const api = await parts.serveApi(spec, control, log.part("api"), most);
      log.info("API listening", { address: printHostPort(api.hostname, api.port) });
      return api;
    } catch (error) {
      if (!isTaken(error) || systemClock.now() > end) throw error;
      await systemClock.sleep(RETRY_MS);
    }
  }
}

/** Did an API not start because another listener has its address? */
export function isTaken(error: unknown): boolean {
  return error instanceof StartError && classify(error.cause) === "in_use";
}
