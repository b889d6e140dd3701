import { Hono } from "hono";
import type { Control } from "../lib/control.ts";
import { maskSecrets } from "../lib/mask.ts";
import type { ReloadCounts } from "../lib/reloads.ts";
import { answerJson } from "./answer.ts";
import type { ApiApp, ApiEnv } from "./env.ts";
import { showConflict } from "./overlay.ts";
import { printLocalTime } from "./time.ts";

/**
 * `POST /reload` reads the configuration anew and says what has changed; `GET /reload` says how many reloads there were,
 * whoever has ordered them, and how the last one went.
 */
export function reload(control: Control): ApiApp {
  return new Hono<ApiEnv>()
    .get("/reload", () => answerJson(maskSecrets(show(control.reloads()))))
    .post("/reload", async () => {
      const { changes: { text, servers, pools }, conflicts } = await control.reload();
      return answerJson({
        changes: text,
        servers,
        pools,
        conflicts: conflicts.map(showConflict),
      });
    });
}

function show({ applied, failed, last }: ReloadCounts): Record<string, unknown> {
  if (last === undefined) return { applied, failed, last: null };
  const { atMs, order, changes, errors } = last;
  const common = { time: printLocalTime(atMs), order, applied: errors === undefined };
  const outcome = changes === undefined
    ? { errors }
    : { changes: changes.text, servers: changes.servers, pools: changes.pools };
  return { applied, failed, last: { ...common, ...outcome } };
}
