import { X509Certificate } from "node:crypto";
import type { Clock } from "../clock.ts";
import { messageOf } from "../errors.ts";
import { fnv1a } from "../fnv.ts";
import type { Log } from "../log.ts";
import { renewalAt, retryMs } from "./renewal.ts";
import { acmeFile } from "./files.ts";
import type { AcmeStore } from "./store.ts";

/** A certificate with its chain, and its key, both PEM. */
export type Issued = { readonly cert: string; readonly key: string };

/** What certificates are kept with. */
export type KeeperOptions = {
  readonly store: AcmeStore;
  /** Asks the authority for a certificate; ends when the signal aborts. */
  issue(host: string, signal: AbortSignal): Promise<Issued>;
  /** The hosts that need one now. */
  hosts(): readonly string[];
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  wallTime(): number;
  random(): number;
  readonly log: Log;
};

/** Time between two looks at what is due. */
const LOOK_MS = 2_000;
/** How long an authority may take for one certificate. */
const ISSUE_MS = 5 * 60_000;

/** When a host's certificate is due, and what happened before. */
type Due = { readonly atMs: number; readonly failures: number };

/** Keeps a certificate for each host: asks for those that are missing, and for new ones in time. */
export class AcmeKeeper {
  readonly #due = new Map<string, Due>();

  /** Asks nobody yet. */
  constructor(readonly options: KeeperOptions) {}

  /** Looks after them, one at a time, until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, hosts } = this.options;
    while (!signal.aborted) {
      const wanted = hosts();
      for (const host of this.#due.keys()) if (!wanted.includes(host)) this.#due.delete(host);
      for (const host of wanted) if (!signal.aborted) await this.#look(host, signal);
      await clock.sleep(LOOK_MS, signal);
    }
  }

  async #look(host: string, signal: AbortSignal): Promise<void> {
    const { wallTime } = this.options;
    const due = this.#due.get(host) ?? { atMs: await this.#renewalOf(host), failures: 0 };
    this.#due.set(host, due);
    if (wallTime() < due.atMs) return;
    const renewedAt = await this.#renewalOf(host); // perhaps another process has done it meanwhile
    if (due.failures === 0 && wallTime() < renewedAt) {
      this.#due.set(host, { atMs: renewedAt, failures: 0 });
    } else await this.#renew(host, due.failures, signal);
  }

  async #renew(host: string, failures: number, signal: AbortSignal): Promise<void> {
    const { store, log, wallTime, random } = this.options;
    const limit = AbortSignal.any([signal, AbortSignal.timeout(ISSUE_MS)]);
    try {
      const { cert, key } = await this.options.issue(host, limit);
      store.write(host, cert, key);
      const atMs = await this.#renewalOf(host);
      this.#due.set(host, { atMs, failures: 0 });
      log.info("certificate issued", {
        ...{ host, not_after: new Date(leafOf(cert).validTo).toISOString() },
        renewal: new Date(atMs).toISOString(),
      });
    } catch (error) {
      if (signal.aborted) return;
      const waitMs = retryMs(failures + 1, random());
      this.#due.set(host, { atMs: wallTime() + waitMs, failures: failures + 1 });
      log.error("no certificate could be had", {
        ...{ host, why: messageOf(error), retry_in_s: Math.round(waitMs / 1000) },
      });
    }
  }

  /** When the host's certificate should be renewed; long ago where there is none that can be read. */
  async #renewalOf(host: string): Promise<number> {
    try {
      const text = await Deno.readTextFile(acmeFile(this.options.store.folder, host));
      const { validFrom, validTo } = leafOf(text);
      return renewalAt(Date.parse(validFrom), Date.parse(validTo), shareOf(host));
    } catch {
      return -Infinity;
    }
  }
}

function leafOf(text: string): X509Certificate {
  return new X509Certificate(text.slice(text.indexOf("-----BEGIN CERTIFICATE-----")));
}

/** The same for a host each time, and another for each. */
function shareOf(host: string): number {
  return fnv1a(new TextEncoder().encode(host)) / 2 ** 32;
}
