import {
  ConfigError,
  ForbiddenError,
  messageOf,
  type Problem,
  StartError,
  StateError,
} from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { answerJson, type Headers } from "./answer.ts";

/** What an answer may say beside its message. */
export type ErrorDetails = {
  /** The path of the configuration key or the parameter that is wrong. */
  readonly key?: string | undefined;
  /** What to do about it, in one line. */
  readonly hint?: string | undefined;
  readonly headers?: Headers | undefined;
};

/** A request that is answered with an error status. The message is for the caller. */
export class ApiError extends Error {
  /** Tells it from other errors in a log. */
  override readonly name = "ApiError";
  /** An error that is answered with `status`, 400 to 599. */
  constructor(readonly status: number, message: string, readonly details: ErrorDetails = {}) {
    super(message);
  }
}

/**
 * The answer to an error: `{ "error", "key", "hint" }`, the last two only where they are known; beside a file's line, `"file"` and `"line"`. A {@link ConfigError} of
 * several problems has them all under `problems`, too. What nobody expected is logged, and the caller learns no more than
 * that.
 *
 * @param request `GET /servers`, for the log.
 */
export function answerError(error: unknown, log: Log, request: string): Response {
  if (error instanceof ApiError) {
    const { key, hint, headers } = error.details;
    return answerJson({ error: error.message, key, hint }, error.status, headers);
  }
  if (error instanceof ConfigError) return answerJson(configBody(error.problems), 400);
  if (error instanceof StartError) {
    const status = error instanceof ForbiddenError ? 403 : 409;
    return answerJson({ error: error.message, hint: error.hint || undefined }, status);
  }
  if (error instanceof StateError) return answerJson({ error: error.message }, 500);
  const stack = error instanceof Error ? error.stack : undefined;
  log.error("a request to the API failed", { request, error: messageOf(error), stack });
  return answerJson({ error: "internal error", hint: "the log has the details" }, 500);
}

function configBody(problems: readonly Problem[]): Record<string, unknown> {
  const [first, ...others] = problems.map((problem) => ({
    error: problem.message,
    key: problem.path.join(".") || undefined,
    hint: problem.hint || undefined,
    // without a line it is the request's body that is wrong
    ...problem.line === undefined ? {} : { file: problem.file, line: problem.line },
  }));
  return { ...first, problems: others.length === 0 ? undefined : [first, ...others] };
}
