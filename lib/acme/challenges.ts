const PATH = "/.well-known/acme-challenge/";
const HOST = /^[a-z0-9.-]{1,253}(?::\d{1,5})?$/i;

/** Answers to HTTP-01 challenges (RFC 8555, section 8.3). */
export class Challenges {
  readonly #answers = new Map<string, string>();

  /** Answers this token from now on, until the result is disposed. */
  add(token: string, answer: string): Disposable {
    this.#answers.set(token, answer);
    return { [Symbol.dispose]: () => void this.#answers.delete(token) };
  }

  /** Answers a request; what isn't a challenge is sent on to https, as gobetween does. */
  answer(request: Request): Response {
    const { pathname, search } = new URL(request.url);
    if (request.method !== "GET" && request.method !== "HEAD") {
      return text("method not allowed", 405);
    }
    if (pathname.startsWith(PATH)) {
      const answer = this.#answers.get(pathname.slice(PATH.length));
      return answer === undefined ? text("no such challenge", 404) : text(answer, 200);
    }
    const host = request.headers.get("host") ?? "";
    if (!HOST.test(host)) return text("no such host", 400);
    const location = `https://${host.replace(/:\d+$/, "")}${pathname}${search}`;
    return new Response(null, { status: 301, headers: { location, ...LAST } });
  }
}

function text(body: string, status: number): Response {
  return new Response(body, { status, headers: { "content-type": "text/plain", ...LAST } });
}

/** Places are few, so nobody keeps one. */
const LAST = { connection: "close" };
