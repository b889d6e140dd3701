import type { CheckKind } from "../lib/kinds.ts";
import { Registry } from "../lib/registry.ts";
import { agent } from "./agent.ts";
import { exec } from "./exec.ts";
import { http } from "./http.ts";
import { https } from "./https.ts";
import { ping } from "./ping.ts";
import { probe } from "./probe.ts";

/** Every check. A new one is a new file, a line here, and a test. */
export const checks: Registry<CheckKind> = new Registry("healthcheck", [
  ping,
  probe,
  exec,
  http,
  https,
  agent,
]);
