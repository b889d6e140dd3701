import type { CheckKind } from "../lib/kinds.ts";
import { Registry } from "../lib/registry.ts";
import { ping } from "./ping.ts";

/** Every check. A new one is a new file, a line here, and a test. */
export const checks: Registry<CheckKind> = new Registry("healthcheck", [ping], ["probe", "exec"]);
