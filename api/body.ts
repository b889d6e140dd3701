import { type ApiContext, isRead, type Middleware } from "./env.ts";
import { ApiError } from "./errors.ts";

/** Longest body of a request. */
export const MAX_BODY_BYTES: number = 1 << 20;

/** No Request can be made with these, and there are no routes for them. */
const WITHOUT_BODY = ["CONNECT", "TRACE", "TRACK"];

/**
 * Lets writes pass whose body is JSON and not longer than {@link MAX_BODY_BYTES}, or that have none. Other types are what
 * a browser sends for another site's page without asking first.
 */
export function jsonBodies(): Middleware {
  return async (c, next) => {
    if (!isRead(c.req.method) && !WITHOUT_BODY.includes(c.req.method)) {
      const length = declaredLength(c) ?? await readWhole(c);
      if (length > MAX_BODY_BYTES) throw tooLong();
      checkType(c, length > 0);
    }
    await next();
  };
}

/** What the listener holds a body to; undefined where the caller hasn't said how long it is. */
function declaredLength(c: ApiContext): number | undefined {
  const length = c.req.header("content-length") ?? "";
  const chunked = c.req.header("transfer-encoding") !== undefined;
  return chunked || !/^\d+$/.test(length) ? undefined : Number(length);
}

/** Reads a body of unknown length and puts it back; its length. */
async function readWhole(c: ApiContext): Promise<number> {
  const { body, url, method, headers } = c.req.raw;
  if (body === null) return 0;
  if (!URL.canParse(url)) throw new ApiError(400, "the Host header is not a host");
  const bytes = new ArrayBuffer(0, { maxByteLength: MAX_BODY_BYTES });
  for await (const chunk of body) {
    const before = bytes.byteLength;
    if (before + chunk.length > MAX_BODY_BYTES) throw tooLong();
    bytes.resize(before + chunk.length);
    new Uint8Array(bytes, before).set(chunk);
  }
  c.req.raw = new Request(url, { method, headers, body: bytes.slice() });
  return bytes.byteLength;
}

function checkType(c: ApiContext, hasBody: boolean): void {
  const type = c.req.header("content-type");
  if (type === undefined && !hasBody) return;
  if (type?.split(";")[0]?.trim().toLowerCase() === "application/json") return;
  const found = type === undefined ? "a body without Content-Type" : `a body of type "${type}"`;
  throw new ApiError(415, `${found} can't be read`, {
    hint: "send JSON with the header Content-Type: application/json",
  });
}

function tooLong(): ApiError {
  return new ApiError(413, "the body is too long", { hint: `at most ${MAX_BODY_BYTES} bytes` });
}
