import type { ApiSpec } from "../lib/model.ts";
import { isLoopback } from "./client.ts";

/** What about this listener a human should know: who can reach it, and what they may do. */
export function exposures(spec: ApiSpec): string[] {
  if (spec.basicAuth !== undefined) return [];
  const found: string[] = [];
  if (!isLoopback(spec.bind.hostname)) {
    found.push(
      "the API has no login and other hosts reach it: they may read; " +
        'set api.basic_auth, or bind = "127.0.0.1:PORT"',
    );
  }
  if (spec.cors) {
    found.push(
      "the API has no login and api.cors is on: pages of every web site may use it; set api.basic_auth",
    );
  }
  return found;
}
