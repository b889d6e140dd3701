import { printJson } from "./json.ts";

/** Header fields of an answer. */
export type Headers = Readonly<Record<string, string>>;

/** An answer in JSON, as {@link printJson} writes it. */
export function answerJson(value: unknown, status: number = 200, headers: Headers = {}): Response {
  return answer(printJson(value), "application/json; charset=utf-8", status, headers);
}

/** An answer in plain text. */
export function answerText(text: string): Response {
  return answer(text, "text/plain; charset=utf-8", 200, {});
}

/** The length is given here because the runtime would say 0 to HEAD. */
function answer(text: string, type: string, status: number, headers: Headers): Response {
  const body = new TextEncoder().encode(text);
  return new Response(body, {
    status,
    headers: { "content-type": type, "content-length": String(body.length), ...headers },
  });
}
