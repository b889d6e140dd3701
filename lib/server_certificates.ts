import { messageOf, StartError } from "./errors.ts";
import type { Log } from "./log.ts";
import type { ServerSpec, TlsSpec, TlsTable } from "./model.ts";
import { type ReadCertificates, readCertificates } from "./source/certificates.ts";

/** What certificates are read with. */
export type ServerCertificatesOptions = {
  /** Among so many workers the limits of a server are divided. */
  readonly workers: number;
  readonly log: Log;
  /** Milliseconds since 1970. */
  wallTime(): number;
};

/** A running server's certificates. */
export type InUse = { readonly spec: TlsSpec; readonly table: TlsTable };

/** The certificates of the servers that speak TLS: read when they start, and again and again. */
export class ServerCertificates {
  /** Why a server's files couldn't be used, where the log has told of it. */
  readonly #told = new Map<string, string>();

  /** Reads nothing yet. */
  constructor(readonly options: ServerCertificatesOptions) {}

  /**
   * For a server that is new or has changed; undefined where it speaks plainly. Where its files are those that are in
   * use and can't be used any more, what was read before stays.
   * @throws StartError when they can't be used.
   */
  async read({ name, tls }: ServerSpec, inUse: InUse | undefined): Promise<TlsTable | undefined> {
    if (tls === undefined) return undefined;
    const same = inUse !== undefined &&
      JSON.stringify(inUse.spec.certificates) === JSON.stringify(tls.certificates);
    if (same) {
      const { certificates } = await this.renewed(name, inUse) ?? inUse.table;
      return this.#table(tls, certificates);
    }
    const read = await readCertificates(tls.certificates, this.options.wallTime());
    this.#taken(name, read);
    return this.#table(tls, read.certificates);
  }

  /** What a running server's files say now; undefined where that is nothing new, or can't be used, which is logged once. */
  async renewed(name: string, { spec, table }: InUse): Promise<TlsTable | undefined> {
    try {
      const read = await readCertificates(spec.certificates, this.options.wallTime());
      const recovered = this.#told.delete(name);
      if (JSON.stringify(read.certificates) === JSON.stringify(table.certificates)) {
        if (recovered) this.options.log.info("certificates can be used again", { server: name });
        return undefined;
      }
      this.#taken(name, read);
      this.options.log.info("certificates renewed", { server: name });
      return this.#table(spec, read.certificates);
    } catch (error) {
      this.#failed(name, error);
      return undefined;
    }
  }

  /** Did the last look at a server's files fail? */
  isFailing(name: string): boolean {
    return this.#told.has(name);
  }

  /** Forgets a server that has gone. */
  forget(name: string): void {
    this.#told.delete(name);
  }

  #taken(name: string, { warnings }: ReadCertificates): void {
    for (const warning of warnings) this.options.log.warning(warning, { server: name });
  }

  #failed(name: string, error: unknown): void {
    const why = messageOf(error);
    if (this.#told.get(name) === why) return;
    this.#told.set(name, why);
    this.options.log.error("certificates can't be renewed; the old ones stay in use", {
      server: name,
      why,
      ...error instanceof StartError ? { hint: error.hint } : {},
    });
  }

  #table(spec: TlsSpec, certificates: TlsTable["certificates"]): TlsTable {
    const { alpn, handshakeMs, maxUnfinished } = spec;
    const share = Math.ceil(maxUnfinished / this.options.workers);
    return { certificates, alpn, handshakeMs, maxUnfinished: share };
  }
}
