/**
 * Twixt, a layer-4 load balancer: command line in, exit code out. The only file that knows all folders: it
 * hands the kinds, the workers and the API to the commands.
 *
 * @module
 */
import type { Parts } from "./cli/parts.ts";
import { standardOutput } from "./cli/output.ts";
import { runCommandLine } from "./cli/command_line.ts";
import about from "./deno.json" with { type: "json" };
import { discoveries } from "./discovery/registry.ts";
import { checks } from "./health/registry.ts";
import { strategies } from "./lib/balance/registry.ts";

const parts: Parts = {
  version: about.version,
  kinds: { strategies, discoveries, checks },
  spawnWorker: () =>
    new Worker(new URL("./protocols/worker.ts", import.meta.url), {
      type: "module",
      name: "twixt data plane",
      deno: { permissions: { net: true } },
    }),
  serveApi: async (spec, control, log, maxConnections) => {
    const { startApi } = await import("./api/start.ts"); // servers listen before it is loaded
    return startApi(spec, { version: about.version, control, log, maxConnections });
  },
};

if (import.meta.main) Deno.exit(await runCommandLine(Deno.args, parts, standardOutput));
