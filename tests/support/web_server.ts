/** What a request is answered with. */
export type Answer = (request: Request) => Response | Promise<Response>;

/** A web server on loopback whose answer the test may change. */
export class WebServer implements AsyncDisposable {
  /** All requests so far. */
  readonly requests: { readonly url: string; readonly headers: Headers }[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  /** @param tls Its certificate and key, for https. */
  constructor(public answer: Answer, tls?: { readonly cert: string; readonly key: string }) {
    const options = { hostname: "127.0.0.1", port: 0, onListen: () => {}, ...tls };
    this.#server = Deno.serve(options, async (request) => {
      this.requests.push({ url: request.url, headers: new Headers(request.headers) });
      return await this.answer(request);
    });
  }

  /** `127.0.0.1:port`. */
  get address(): string {
    return `127.0.0.1:${this.#server.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

/** Answers when the request has been given up by its client, or the test says so. */
export class Hang {
  readonly #over = Promise.withResolvers<void>();

  readonly answer: Answer = async () => {
    await this.#over.promise;
    return new Response("late");
  };

  /** Lets all go. */
  end(): void {
    this.#over.resolve();
  }
}
