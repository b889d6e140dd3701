import { Hono } from "hono";
import { suggest } from "../lib/config/suggest.ts";
import type { Control } from "../lib/control.ts";
import { maskSecrets } from "../lib/mask.ts";
import type { Section } from "../lib/model.ts";
import { answerJson } from "./answer.ts";
import type { ApiApp, ApiContext, ApiEnv } from "./env.ts";
import { ApiError } from "./errors.ts";
import { jsonBody } from "./json_body.ts";
import { statsOf } from "./stats.ts";

/**
 * `GET /servers`, `/servers/NAME`, `/servers/NAME/stats`: the servers as configured, and their counters. `POST` and
 * `DELETE /servers/NAME` add and remove one, and answer `null` as gobetween does.
 */
export function servers(control: Control): ApiApp {
  return new Hono<ApiEnv>()
    .get("/servers", () => answerJson(maskedServers(control)))
    .get("/servers/:name", (c) => answerJson(maskSecrets(sectionOf(control, nameIn(c)))))
    .get("/servers/:name/stats", (c) => {
      const name = nameIn(c);
      const status = control.status(name);
      if (status === undefined) throw unknownServer(control, name);
      return answerJson(statsOf(status));
    })
    .post("/servers/:name", async (c) => {
      await control.addServer(nameIn(c), await jsonBody(c));
      return answerJson(null);
    })
    .delete("/servers/:name", async (c) => {
      const name = nameIn(c);
      if (!await control.removeServer(name)) throw unknownServer(control, name);
      return answerJson(null);
    });
}

function maskedServers(control: Control): ReadonlyMap<string, Section> {
  return new Map(Object.entries(maskSecrets(control.config().document.servers)));
}

function sectionOf(control: Control, name: string): Section {
  const { servers } = control.config().document;
  const section = Object.hasOwn(servers, name) ? servers[name] : undefined;
  if (section === undefined) throw unknownServer(control, name);
  return section;
}

function nameIn(c: ApiContext): string {
  return c.req.param("name") ?? "";
}

function unknownServer(control: Control, name: string): ApiError {
  const close = suggest(name, Object.keys(control.config().document.servers));
  return new ApiError(404, `there is no server "${name}"`, {
    hint: close === undefined ? "GET /servers lists them" : `did you mean "${close}"?`,
  });
}
