import { X509Certificate } from "node:crypto";
import type { Clock } from "../clock.ts";
import { messageOf } from "../errors.ts";
import { fnv1a } from "../fnv.ts";
import type { Log } from "../log.ts";
import { readCertificates } from "../source/certificates.ts";
import type { PemPair } from "../source/pem.ts";
import { TimeLimit } from "../time_limit.ts";
import { acmeFile } from "./files.ts";
import { LONGEST_RETRY_MS, renewalAt, retryMs } from "./renewal.ts";
import type { AcmeStore, Failures } from "./store.ts";

/** What certificates are kept with. */
export type KeeperOptions = {
  readonly store: AcmeStore;
  /** Asks the authority for a certificate, with its chain, and makes its key; ends when the signal aborts. */
  issue(host: string, signal: AbortSignal): Promise<PemPair>;
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
/** Hosts that it is asked for at the same time. */
const AT_ONCE = 4;
/** Two certificates of a host are at least so far apart, whatever the calendar says. */
const APART_MS = 60 * 60_000;

/** What is known of a host. */
type Known = {
  /** When it needs a new certificate, in milliseconds since 1970. */
  readonly renewalMs: number;
  /** Issued, and not on the disk yet. */
  readonly unwritten?: PemPair;
};

/** Keeps a certificate for each host: asks for those that are missing, and for new ones in time. */
export class AcmeKeeper {
  readonly #known = new Map<string, Known>();
  readonly #failures = new Map<string, Failures>();
  readonly #busy = new Set<string>();

  /** Asks nobody yet. */
  constructor(readonly options: KeeperOptions) {}

  /** Looks after them until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, hosts } = this.options;
    while (!signal.aborted) {
      const wanted = hosts();
      for (const host of this.#known.keys()) if (!wanted.includes(host)) this.#known.delete(host);
      for (const host of this.#failures.keys()) {
        if (!wanted.includes(host)) this.#failures.delete(host);
      }
      for (const host of wanted) await this.#look(host, signal);
      await clock.sleep(LOOK_MS, signal);
    }
  }

  /** Begins to renew a host's certificate, if that is due. */
  async #look(host: string, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#busy.has(host) || this.#busy.size >= AT_ONCE) return;
    const { store, wallTime } = this.options;
    const isThere = await Deno.stat(acmeFile(store.folder, host)).then(() => true, () => false);
    const isGood = () => isThere && wallTime() < (this.#known.get(host)?.renewalMs ?? -Infinity);
    if (isGood() || this.#waits(host)) return;
    if (isThere) { // it isn't known yet, or another process may have renewed it
      const renewalMs = await this.#renewalOf(host);
      this.#known.set(host, { ...this.#known.get(host), renewalMs });
      if (isGood()) return;
    }
    this.#busy.add(host);
    void this.#renew(host, signal).finally(() => this.#busy.delete(host));
  }

  /** Has it failed so lately that nobody should be asked? A time that is too far away is a clock's that was wrong. */
  #waits(host: string): boolean {
    const { store, wallTime } = this.options;
    const failures = this.#failures.get(host) ?? store.failures(host);
    if (failures === undefined) return false;
    this.#failures.set(host, failures);
    const leftMs = failures.againMs - wallTime();
    return leftMs > 0 && leftMs <= LONGEST_RETRY_MS;
  }

  async #renew(host: string, signal: AbortSignal): Promise<void> {
    const { store, log, wallTime } = this.options;
    using limit = new TimeLimit(ISSUE_MS, signal);
    try {
      const pair = this.#known.get(host)?.unwritten ?? await this.options.issue(host, limit.signal);
      // what can't be written isn't asked for again: authorities count
      this.#known.set(host, { renewalMs: -Infinity, unwritten: pair });
      store.write(host, pair.cert, pair.key);
      const renewalMs = Math.max(renewalOf(pair.cert, host), wallTime() + APART_MS);
      this.#known.set(host, { renewalMs });
      this.#failures.delete(host);
      store.setFailures(host, undefined);
      log.info("certificate issued", {
        ...{ host, not_after: new Date(leafOf(pair.cert).validTo).toISOString() },
        renewal: new Date(renewalMs).toISOString(),
      });
    } catch (error) {
      if (!signal.aborted) this.#failed(host, error);
    }
  }

  #failed(host: string, error: unknown): void {
    const { store, log, wallTime, random } = this.options;
    const count = (this.#failures.get(host)?.count ?? 0) + 1;
    const waitMs = retryMs(count, random());
    const failures = { count, againMs: wallTime() + waitMs };
    this.#failures.set(host, failures);
    store.setFailures(host, failures);
    log.error("no certificate could be had", {
      ...{ host, why: messageOf(error), retry_in_s: Math.round(waitMs / 1000) },
    });
  }

  /** When the host's certificate should be renewed; long ago where there is none that can be used. */
  async #renewalOf(host: string): Promise<number> {
    const { store, wallTime } = this.options;
    const path = acmeFile(store.folder, host);
    const spec = { certPath: path, keyPath: path, at: "acme", acmeHost: host };
    try {
      const { certificates } = await readCertificates([spec], wallTime());
      return renewalOf(certificates[0]!.cert, host);
    } catch {
      return -Infinity;
    }
  }
}

function renewalOf(cert: string, host: string): number {
  const { validFrom, validTo } = leafOf(cert);
  return renewalAt(Date.parse(validFrom), Date.parse(validTo), shareOf(host));
}

function leafOf(text: string): X509Certificate {
  return new X509Certificate(text.slice(text.indexOf("-----BEGIN CERTIFICATE-----")));
}

/** The same for a host each time, and another for each. */
function shareOf(host: string): number {
  return fnv1a(new TextEncoder().encode(host)) / 2 ** 32;
}
