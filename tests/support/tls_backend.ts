/** A backend that speaks TLS. Dispose it: its listener closes, and it waits for its sessions. */
export class TlsBackend implements AsyncDisposable {
  readonly #listener: Deno.TlsListener;
  readonly port: number;
  readonly #serving: Promise<void>;

  /** @param pair Certificate and key in PEM form. */
  constructor(
    pair: { readonly cert: string; readonly key: string },
    readonly serve: (conn: Deno.TlsConn) => Promise<unknown>,
  ) {
    this.#listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, ...pair });
    this.port = (this.#listener.addr as Deno.NetAddr).port;
    this.#serving = this.#accept();
  }

  async #accept(): Promise<void> {
    const sessions: Promise<unknown>[] = [];
    for await (const conn of this.#listener) {
      sessions.push(this.serve(conn).catch(() => {}).finally(() => close(conn)));
    }
    await Promise.all(sessions);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#serving;
  }
}

function close(conn: Deno.TlsConn): void {
  try {
    conn.close();
  } catch {
    // it has done so
  }
}
