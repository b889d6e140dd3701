import { Hono } from "hono";
import { suggest } from "../lib/config/suggest.ts";
import type { Conflict } from "../lib/conflicts.ts";
import type { Control } from "../lib/control.ts";
import { ConfigError, ForbiddenError, StartError } from "../lib/errors.ts";
import { type FieldPath, fieldsOf, printPath } from "../lib/forget.ts";
import { maskSecrets } from "../lib/mask.ts";
import { changesOf } from "../lib/overlay.ts";
import { answerJson } from "./answer.ts";
import type { ApiApp, ApiEnv } from "./env.ts";
import { ApiError } from "./errors.ts";

/**
 * `GET /overlay`: what was changed beside the configuration, and where the configuration has changed the same since.
 * `DELETE` gives it back to the configuration: all of it, `/overlay/servers/NAME`,
 * `/overlay/pools/POOL/backends/HOST:PORT`, and below that `/weight` and `/drain`.
 */
export function overlay(control: Control): ApiApp {
  const backend = "/overlay/pools/:pool/backends/:backend";
  return new Hono<ApiEnv>()
    .get("/overlay", () =>
      answerJson({
        ...maskSecrets(changesOf(control.overlay())),
        conflicts: control.conflicts().map(showConflict),
      }))
    .delete("/overlay", () => forget(control, []))
    .delete("/overlay/servers/:name", (c) => forget(control, ["servers", c.req.param("name")]))
    .delete(backend, (c) => {
      const { pool, backend } = c.req.param();
      return forget(control, ["pools", pool, "backends", backend]);
    })
    .delete(`${backend}/:field{weight|drain}`, (c) => {
      const { pool, backend, field } = c.req.param();
      return forget(control, ["pools", pool, "backends", backend, field]);
    });
}

/** A conflict, and how to end it. */
export function showConflict({ field, ...conflict }: Conflict): Record<string, unknown> {
  return { ...conflict, hint: `DELETE /overlay/${field} gives it back to the configuration` };
}

async function forget(control: Control, path: FieldPath): Promise<Response> {
  const forgotten = await control.forget(path).catch((error) => {
    throw unchanged(error);
  });
  if (forgotten === undefined) throw nothingAt(control, path);
  return answerJson(forgotten);
}

/** The configuration's own version can't be used: then all is as it was, and the caller shall know. */
function unchanged(error: unknown): unknown {
  const said = (message: string) => `nothing was given back: ${message}`;
  if (error instanceof ForbiddenError) return new ForbiddenError(said(error.message), error.hint);
  if (error instanceof StartError) return new StartError(said(error.message), error.hint);
  if (!(error instanceof ConfigError)) return error;
  return new ConfigError(
    error.problems.map((problem) => ({ ...problem, message: said(problem.message) })),
  );
}

function nothingAt(control: Control, path: FieldPath): ApiError {
  const at = printPath(path);
  const close = suggest(at, fieldsOf(control.overlay()).map(printPath));
  const error = path.length === 0
    ? "nothing was changed beside the configuration"
    : `the overlay has nothing at "${at}"`;
  return new ApiError(404, error, {
    hint: close === undefined ? "GET /overlay shows what it has" : `did you mean "${close}"?`,
  });
}
