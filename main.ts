/**
 * Twixt, a layer-4 load balancer: command line in, exit code out. The only file that knows all folders: it
 * hands the kinds, the workers and the API to the commands.
 *
 * @module
 */
import { createApp } from "./api/app.ts";
import type { ApiApp } from "./api/env.ts";
import { serveApi } from "./api/serve.ts";
import type { Parts } from "./cli/parts.ts";
import { standardOutput } from "./cli/output.ts";
import { runCommandLine } from "./cli/command_line.ts";
import about from "./deno.json" with { type: "json" };
import { discoveries } from "./discovery/registry.ts";
import { checks } from "./health/registry.ts";
import { contains, parseCidr } from "./lib/address.ts";
import { strategies } from "./lib/balance/registry.ts";
import { dumpConfig } from "./lib/config/dump.ts";
import type { Control } from "./lib/control.ts";
import type { Log } from "./lib/log.ts";
import type { ApiSpec } from "./lib/model.ts";
import { readPem } from "./lib/source/pem.ts";

const parts: Parts = {
  version: about.version,
  kinds: { strategies, discoveries, checks },
  spawnWorker: () =>
    new Worker(new URL("./protocols/worker.ts", import.meta.url), {
      type: "module",
      name: "twixt data plane",
      deno: { permissions: { net: true } },
    }),
  serveApi: (spec, control, log, maxConnections) =>
    serveApi(spec, apiOf(spec, control, log), {
      log,
      maxConnections,
      tls: spec.tls && readPem(spec.tls),
    }),
};

function apiOf(spec: ApiSpec, control: Control, log: Log): ApiApp {
  const allowed = spec.allow.map((network) => parseCidr(network)).filter((cidr) =>
    cidr !== undefined
  );
  return createApp(control, {
    version: parts.version,
    spec,
    isAllowed: (ip) => allowed.some((cidr) => contains(cidr, ip)),
    dump: dumpConfig,
    log,
  });
}

if (import.meta.main) Deno.exit(await runCommandLine(Deno.args, parts, standardOutput));
