import { Hono } from "hono";
import { z } from "zod";
import { parseDuration } from "../lib/duration.ts";
import { suggest } from "../lib/config/suggest.ts";
import type { BackendChange, Control } from "../lib/control.ts";
import { backendKey, MAX_NUMBER } from "../lib/model.ts";
import { poolsOf } from "../lib/routes.ts";
import { findBackend, type PoolStatus, type SourceStatus } from "../lib/status.ts";
import { answerJson } from "./answer.ts";
import type { ApiApp, ApiContext, ApiEnv } from "./env.ts";
import { ApiError } from "./errors.ts";
import { jsonBody } from "./json_body.ts";
import { backendOf } from "./stats.ts";

/**
 * `GET /pools`, `/pools/NAME`: pools and their backends. `PATCH /pools/NAME/backends/HOST:PORT` changes one:
 * `weight` (null gives it back to the configuration), `drain` (true, false, or a duration after which its last
 * sessions are cut). `/servers/NAME/backends/HOST:PORT` is the same through a server.
 */
export function pools(control: Control): ApiApp {
  return new Hono<ApiEnv>()
    .get("/pools", () => {
      const names = [...control.config().pools.keys()];
      return answerJson(new Map(names.map((name) => [name, show(poolOf(control, name))])));
    })
    .get("/pools/:name", (c) => answerJson(show(poolOf(control, c.req.param("name")))))
    .patch("/pools/:name/backends/:backend", (c) => change(control, c, c.req.param("name")))
    .patch("/servers/:name/backends/:backend", (c) => {
      const { name, backend } = c.req.param();
      return change(control, c, poolBehind(control, name, backend));
    });
}

/** The pool of a server that has this backend: its own, or one that its routes lead to. */
function poolBehind(control: Control, name: string, backend: string): string {
  const server = control.config().servers.get(name);
  if (server === undefined) return name;
  const pools = poolsOf(server);
  const having = pools.filter((pool) => findBackend(control.pool(pool), backend) !== undefined);
  if (having.length <= 1) return having[0] ?? server.pool ?? pools[0]!;
  throw new ApiError(409, `several pools of server "${name}" have backend "${backend}"`, {
    hint: `PATCH /pools/POOL/backends/${backend} with one of ${having.join(", ")}`,
  });
}

async function change(control: Control, c: ApiContext, pool: string): Promise<Response> {
  const backend = c.req.param("backend") ?? "";
  const wanted = parseChange(await jsonBody(c));
  const status = await control.changeBackend(pool, backend, wanted);
  if (status !== undefined) return answerJson(backendOf(status));
  const keys = poolOf(control, pool).backends.map((each) => backendKey(each.backend));
  throw new ApiError(404, `there is no backend "${backend}" in pool "${pool}"`, {
    hint: `One of ${keys.slice(0, 20).join(", ")}`,
  });
}

const CHANGE = z.strictObject({
  weight: z.int().min(0).max(MAX_NUMBER).nullable().optional(),
  drain: z.union([z.boolean(), z.string()], { error: "is neither true, false nor a duration" })
    .optional(),
});

const HINT =
  'send {"weight": 0…}, {"weight": null}, {"drain": true}, {"drain": "30s"} or {"drain": false}';

function parseChange(body: unknown): BackendChange {
  const parsed = CHANGE.safeParse(body);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new ApiError(400, issue?.message ?? "not a change", {
      key: issue?.path.join(".") || undefined,
      hint: HINT,
    });
  }
  const { weight, drain } = parsed.data;
  if (weight === undefined && drain === undefined) {
    throw new ApiError(400, "nothing is to be changed", { hint: HINT });
  }
  return {
    ...weight === undefined ? {} : { weight },
    ...drain === undefined ? {} : { drain: typeof drain === "string" ? drainMs(drain) : drain },
  };
}

function drainMs(text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined && ms >= 0) return ms;
  throw new ApiError(400, `"${text}" is not a duration`, {
    key: "drain",
    hint: 'a number and a unit (ms, s, m, h), for example "30s" or "1h30m"',
  });
}

function poolOf(control: Control, name: string): PoolStatus {
  const pool = control.pool(name);
  if (pool !== undefined) return pool;
  const close = suggest(name, [...control.config().pools.keys()]);
  throw new ApiError(404, `there is no pool "${name}"`, {
    hint: close === undefined ? "GET /pools lists them" : `did you mean "${close}"?`,
  });
}

function show(pool: PoolStatus): Record<string, unknown> {
  return {
    balance: pool.strategy,
    discovery: pool.sources.map(showSource),
    backends: pool.backends.map(backendOf),
  };
}

function showSource({ failing, ...source }: SourceStatus): Record<string, unknown> {
  if (failing === undefined) return source;
  return {
    ...source,
    failing: failing.why,
    failing_since: new Date(failing.sinceMs).toISOString(),
  };
}
