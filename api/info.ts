import { Hono } from "hono";
import type { Control } from "../lib/control.ts";
import { printDuration } from "../lib/duration.ts";
import { maskSecrets } from "../lib/mask.ts";
import { answerJson, answerText } from "./answer.ts";
import type { ApiApp, ApiEnv } from "./env.ts";
import { printLocalTime } from "./time.ts";

/** `GET /ping`: is anybody there? The one route that needs no login. */
export function ping(): ApiApp {
  return new Hono<ApiEnv>().get("/ping", () => answerText("OK"));
}

/**
 * `GET /`: which process this is, since when, and where its configuration came from.
 *
 * @param wallTime Milliseconds since 1970.
 */
export function info(control: Control, version: string, wallTime: () => number): ApiApp {
  return new Hono<ApiEnv>().get("/", () => {
    const now = wallTime();
    return answerJson({
      pid: Deno.pid,
      time: printLocalTime(now),
      startTime: printLocalTime(control.startedAtMs),
      uptime: printDuration(Math.max(0, now - control.startedAtMs)),
      version,
      configuration: maskSecrets(control.source()),
    });
  });
}
