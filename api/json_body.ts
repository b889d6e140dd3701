import type { ApiContext } from "./env.ts";
import { ApiError } from "./errors.ts";

/** No section is nested so deeply; what is would overflow the stack of whoever writes it again. */
const MAX_DEPTH = 32;

/**
 * The body of a request as JSON; null where the body is.
 * @throws ApiError 400 for an empty body, for what isn't JSON, and for what is nested more than 32 deep.
 */
export async function jsonBody(c: ApiContext): Promise<unknown> {
  const text = await c.req.text();
  if (text.trim() === "") {
    throw new ApiError(400, "the body is empty", { hint: "send a JSON object, at least {}" });
  }
  const body = parse(text);
  if (isDeeper(body, MAX_DEPTH)) {
    throw new ApiError(400, "the body is nested too deeply", { hint: `at most ${MAX_DEPTH} deep` });
  }
  return body;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ApiError(400, `the body is not JSON: ${(error as Error).message}`);
  }
}

function isDeeper(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return depth === 0 || Object.values(value).some((inner) => isDeeper(inner, depth - 1));
}
