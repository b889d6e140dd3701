import { Hono } from "hono";
import type { Control } from "../lib/control.ts";
import { maskSecrets } from "../lib/mask.ts";
import { answerJson } from "./answer.ts";
import type { ApiApp, ApiEnv } from "./env.ts";

/** `POST /reload` reads the configuration anew; `GET /overlay` shows what was changed beside it. */
export function changes(control: Control): ApiApp {
  return new Hono<ApiEnv>()
    .post("/reload", async () => answerJson({ changes: await control.reload() }))
    .get("/overlay", () => answerJson(maskSecrets(control.overlay())));
}
