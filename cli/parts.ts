import type { ApiServer } from "../api/serve.ts";
import type { Control } from "../lib/control.ts";
import type { CheckKind, DiscoveryKind, StrategyKind } from "../lib/kinds.ts";
import type { Log } from "../lib/log.ts";
import type { ApiSpec } from "../lib/model.ts";
import type { Registry } from "../lib/registry.ts";
import type { WorkerLike } from "../lib/workers.ts";

/** What `main.ts` hands to the commands: the kinds, the data plane, the API. */
export type Parts = {
  readonly version: string;
  readonly kinds: {
    readonly strategies: Registry<StrategyKind>;
    readonly discoveries: Registry<DiscoveryKind>;
    readonly checks: Registry<CheckKind>;
  };
  /** Makes a data-plane worker with permission to use the network and nothing else. */
  spawnWorker(): WorkerLike;
  /** Starts the management API. The caller closes it. */
  serveApi(
    spec: ApiSpec,
    control: Control,
    log: Log,
    maxConnections: number,
  ): Promise<ApiServer>;
};
