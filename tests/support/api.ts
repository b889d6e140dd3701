import type { ApiHandler } from "../../api/listen.ts";
import { type ApiServer, serveApi, type ServeHooks } from "../../api/serve.ts";
import type { ApiSpec } from "../../lib/model.ts";
import { MemoryLog } from "./log.ts";

/** An app that greets its caller. */
export const HELLO: ApiHandler = { fetch: (_, { client }) => new Response(`hello ${client}`) };

/** The API's section: no login, no other sites. */
export function specOf(hostname = "127.0.0.1", port = 0): ApiSpec {
  const text = hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
  return { bind: { hostname, port, text }, cors: false, allow: [] };
}

/** Serves an app on a port of the system's choice. The caller closes it. */
export function serve(
  app: ApiHandler,
  hooks: Partial<ServeHooks> = {},
  spec: ApiSpec = specOf(),
): Promise<ApiServer> {
  return serveApi(spec, app, { log: new MemoryLog(), ...hooks });
}

/** A PEM file of the fixtures: `cert`, its `key`, or the `ca` that signed it. */
export function pem(name: string): Promise<string> {
  return Deno.readTextFile(new URL(`../fixtures/api/${name}.pem`, import.meta.url));
}
