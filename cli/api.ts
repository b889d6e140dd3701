import type { ApiServer } from "../api/serve.ts";
import { printHostPort } from "../lib/address.ts";
import type { Control } from "../lib/control.ts";
import { descriptorBudget } from "../lib/host/budget.ts";
import type { Log } from "../lib/log.ts";
import type { ApiSpec } from "../lib/model.ts";
import type { Parts } from "./parts.ts";

/** Starts the API and says where it listens. The caller closes it. */
export async function startApi(
  parts: Parts,
  spec: ApiSpec,
  control: Control,
  descriptors: number | undefined,
  log: Log,
): Promise<ApiServer> {
  const { api: most } = descriptorBudget(descriptors, 0);
  const api = await parts.serveApi(spec, control, log.part("api"), most);
  log.info("API listening", { address: printHostPort(api.hostname, api.port) });
  return api;
}
