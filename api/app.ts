import { Hono } from "hono";
import { type Clock, systemClock } from "../lib/clock.ts";
import type { Control } from "../lib/control.ts";
import type { Log } from "../lib/log.ts";
import type { ApiSpec } from "../lib/model.ts";
import { readOnlyForOthers, requireLogin } from "./auth.ts";
import { jsonBodies } from "./body.ts";
import { allowOtherSites } from "./cors.ts";
import { type Dump, dump } from "./dump.ts";
import type { ApiApp, ApiEnv } from "./env.ts";
import { answerError } from "./errors.ts";
import { info, ping } from "./info.ts";
import { overlay } from "./overlay.ts";
import { pools } from "./pools.ts";
import { reload } from "./reload.ts";
import { servers } from "./servers.ts";
import { noRoute } from "./unknown.ts";
import { ownPagesOnly } from "./writes.ts";

/** What the routes need beside the balancer itself. */
export type ApiOptions = {
  /** Twixt's version, as `GET /` shows it. */
  readonly version: string;
  /** Login and cross-site rules come from it; where it is bound doesn't matter here. */
  readonly spec: Pick<ApiSpec, "cors" | "basicAuth">;
  /** May this address write where there is no login? `api.allow` answers. */
  isAllowed(ip: string): boolean;
  /** Writes a configuration as text. Its secrets are masked already. */
  readonly dump: Dump;
  readonly log: Log;
  /** For the throttle of failed logins; the system's by default. */
  readonly clock?: Clock;
  /** Milliseconds since 1970; the system's by default. */
  readonly wallTime?: () => number;
};

/**
 * The management API, without a listener. Every request passes, in this order: cross-site headers, `/ping`, login, the
 * rules for writes, the routes. Routes that are added later stand behind all of these.
 */
export function createApp(control: Control, options: ApiOptions): ApiApp {
  const { spec, log, clock = systemClock, wallTime = Date.now } = options;
  const login = spec.basicAuth;
  const app = new Hono<ApiEnv>({ strict: false }); // "/servers/" is "/servers"
  if (spec.cors) app.use(allowOtherSites());
  app.route("/", ping());
  app.use(login ? requireLogin(login, clock, log) : readOnlyForOthers(options.isAllowed));
  app.use(ownPagesOnly({ cors: spec.cors, login: login !== undefined }), jsonBodies());
  app.route("/", info(control, options.version, wallTime));
  app.route("/", servers(control));
  app.route("/", pools(control));
  app.route("/", reload(control));
  app.route("/", overlay(control));
  app.route("/", dump(control, options.dump));
  app.notFound((c) => {
    throw noRoute(app, c);
  });
  app.onError((error, c) => answerError(error, log, `${c.req.method} ${c.req.path}`));
  return app;
}
