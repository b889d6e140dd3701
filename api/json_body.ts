import type { ApiContext } from "./env.ts";
import { ApiError } from "./errors.ts";

/**
 * The body of a request as JSON; null where the body is.
 * @throws ApiError 400 for an empty body, and for what isn't JSON.
 */
export async function jsonBody(c: ApiContext): Promise<unknown> {
  const text = await c.req.text();
  if (text.trim() === "") {
    throw new ApiError(400, "the body is empty", { hint: "send a JSON object, at least {}" });
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ApiError(400, `the body is not JSON: ${(error as Error).message}`);
  }
}
