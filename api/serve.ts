import { type Clock, systemClock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { ApiSpec } from "../lib/model.ts";
import { whatHappened } from "../lib/net/errors.ts";
import { exposures } from "./exposure.ts";
import {
  type ApiHandler,
  type Listen,
  type Listener,
  listenError,
  openerOf,
  type Pem,
} from "./listen.ts";

/** Where the API listens. */
export type ListeningAddress = { readonly hostname: string; readonly port: number };

/** What serving needs of its surroundings. */
export type ServeHooks = {
  readonly log: Log;
  /** Called once, with the real port. */
  onListening?(address: ListeningAddress): void;
  /** Needed where `spec.tls` is set: its two files, read. */
  readonly tls?: Pem | undefined;
  /** The system's by default. */
  readonly clock?: Clock;
  /** Connections at the same time, 64 by default; each takes three descriptors. */
  readonly maxConnections?: number;
  /** The runtime's, behind a gate, by default. */
  readonly listen?: Listen;
};

/** The API as it runs. */
export type ApiServer = ListeningAddress & {
  /**
   * Frees the port, lets running requests finish, and resolves after 2 seconds at the latest: what is open then
   * is left to its client. Calling it again does no harm.
   */
  close(): Promise<void>;
};

const CLOSE_MS = 2_000;
const PAUSE_MS = 1_000;

/**
 * Serves the API where `spec` says. A listener that fails (no descriptor left) is replaced after a pause, on the same
 * port. The caller closes what this returns.
 *
 * @throws StartError when the address can't be bound or the certificate can't be used.
 */
export function serveApi(spec: ApiSpec, app: ApiHandler, hooks: ServeHooks): Promise<ApiServer> {
  return Promise.try(() => {
    if (spec.tls !== undefined && hooks.tls === undefined) {
      throw new Error("the API is to speak HTTPS, but nobody has read its certificate");
    }
    const serving = new Serving(spec, app, hooks);
    for (const warning of exposures(spec)) hooks.log.warning(warning, { bind: spec.bind.text });
    hooks.onListening?.({ hostname: serving.hostname, port: serving.port });
    return serving;
  });
}

class Serving implements ApiServer {
  readonly hostname: string;
  readonly port: number;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  readonly #open: (port: number) => Listener;
  /** Settles when nothing listens any more and nothing will. */
  readonly #kept: Promise<void>;
  #listener: Listener;
  #closed: Promise<void> | undefined;

  constructor(spec: ApiSpec, app: ApiHandler, hooks: ServeHooks) {
    this.#log = hooks.log;
    this.#clock = hooks.clock ?? systemClock;
    this.#open = openerOf(spec.bind.hostname, app, this.#closing.signal, hooks);
    try {
      this.#listener = this.#open(spec.bind.port);
    } catch (error) {
      throw listenError(error, spec);
    }
    this.hostname = spec.bind.hostname;
    this.port = this.#listener.addr.port;
    this.#kept = this.#keep();
  }

  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    const done = new AbortController();
    const late = this.#clock.sleep(CLOSE_MS, done.signal).then(() => {
      if (!done.signal.aborted) this.#log.warning("requests to the API are still open; left alone");
    });
    // shutting down fails for a listener that has failed before, and that is as good
    const ended = this.#listener.shutdown().catch(() => {}).then(() => this.#kept);
    await Promise.race([ended, late]);
    done.abort();
  }

  /** Replaces the listener whenever it ends before it should. */
  async #keep(): Promise<void> {
    while (true) {
      const error: unknown = await this.#listener.finished.then(() => "it ended", (error) => error);
      if (this.#closing.signal.aborted) return;
      this.#log.error("the API's listener failed; it is opened again soon", {
        error: whatHappened(error),
      });
      if (!await this.#reopen()) return;
      this.#log.info("the API listens again", { port: this.port });
    }
  }

  /** False when the API was closed meanwhile. */
  async #reopen(): Promise<boolean> {
    while (true) {
      await this.#clock.sleep(PAUSE_MS, this.#closing.signal);
      if (this.#closing.signal.aborted) return false;
      try {
        this.#listener = this.#open(this.port);
        return true;
      } catch {
        // still no descriptor, or somebody else has the port: again after the pause
      }
    }
  }
}
