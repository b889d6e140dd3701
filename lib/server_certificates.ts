import { messageOf, StartError } from "./errors.ts";
import type { Log } from "./log.ts";
import type { ServerSpec, ServerTable, TlsSpec, TlsTable } from "./model.ts";
import { type ReadCertificates, readCertificates } from "./source/certificates.ts";

/** What certificates are read with. */
export type ServerCertificatesOptions = {
  /** Among so many workers the limits of a server are divided. */
  readonly workers: number;
  readonly log: Log;
  /** Milliseconds since 1970. */
  wallTime(): number;
};

/** A server that listens. */
type Listening = { readonly spec: ServerSpec; readonly table: ServerTable };
/** Its certificates. */
type InUse = { readonly spec: TlsSpec; readonly table: TlsTable };

/** The certificates of the servers that speak TLS: read when they start, and again and again. */
export class ServerCertificates {
  /** Why a server's files couldn't be used, where the log has told of it. */
  readonly #told = new Map<string, string>();

  /** Reads nothing yet. */
  constructor(readonly options: ServerCertificatesOptions) {}

  /**
   * For servers that are new or have changed, by name: undefined where one speaks plainly. Where files are those that are
   * in use and can't be used any more, what was read before stays.
   * @throws StartError when one can't be used.
   */
  async readAll(
    specs: readonly ServerSpec[],
    listening: ReadonlyMap<string, Listening>,
  ): Promise<ReadonlyMap<string, TlsTable | undefined>> {
    const found = new Map<string, TlsTable | undefined>();
    for (const spec of specs) {
      found.set(spec.name, spec.tls && await this.#read(spec.name, spec.tls, listening));
    }
    return found;
  }

  async #read(
    name: string,
    tls: TlsSpec,
    listening: ReadonlyMap<string, Listening>,
  ): Promise<TlsTable> {
    const inUse = inUseOf(listening.get(name));
    if (inUse && JSON.stringify(inUse.spec.certificates) === JSON.stringify(tls.certificates)) {
      const { certificates } = await this.#renewed(name, inUse) ?? inUse.table;
      return this.#table(tls, certificates);
    }
    const read = await readCertificates(tls.certificates, this.options.wallTime());
    this.#taken(name, read);
    return this.#table(tls, read.certificates);
  }

  /**
   * Reads those of running servers anew, and has what has changed used. What can't be used is logged, once, and the old
   * ones stay. True: all could be used.
   * @param use Has workers use them; false where not all do.
   * @param signal Ends it before the next use.
   */
  async renewAll<T extends Listening>(
    servers: readonly T[],
    use: (server: T, tls: TlsTable) => Promise<boolean>,
    signal?: AbortSignal,
  ): Promise<boolean> {
    let all = true;
    for (const server of servers) {
      const inUse = inUseOf(server);
      if (inUse === undefined) continue;
      const tls = await this.#renewed(server.spec.name, inUse);
      if (signal?.aborted) return false;
      if (tls !== undefined) {
        if (await use(server, tls)) {
          this.options.log.info("certificates renewed", { server: server.spec.name });
        } else all = false;
      }
      if (this.#told.has(server.spec.name)) all = false;
    }
    return all;
  }

  /** What a running server's files say now; undefined where that is nothing new, or can't be used, which is logged once. */
  async #renewed(name: string, { spec, table }: InUse): Promise<TlsTable | undefined> {
    try {
      const read = await readCertificates(spec.certificates, this.options.wallTime());
      const recovered = this.#told.delete(name);
      if (JSON.stringify(read.certificates) === JSON.stringify(table.certificates)) {
        if (recovered) this.options.log.info("certificates can be used again", { server: name });
        return undefined;
      }
      this.#taken(name, read);
      return this.#table(spec, read.certificates);
    } catch (error) {
      this.#failed(name, error);
      return undefined;
    }
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
    const { alpn, handshakeMs, maxUnfinished, guard } = spec;
    const share = Math.ceil(maxUnfinished / this.options.workers);
    return { certificates, alpn, handshakeMs, guard, maxUnfinished: share };
  }
}

/** The files of all certificates and keys of servers. */
export function filesOf(servers: Iterable<Listening>): string[] {
  return [...servers].flatMap(({ spec: { tls } }) =>
    (tls?.certificates ?? []).flatMap(({ certPath, keyPath }) => [certPath, keyPath])
  );
}

/** The certificates that a server uses; undefined where it speaks plainly. */
function inUseOf(server: Listening | undefined): InUse | undefined {
  const { spec, table } = server ?? {};
  return spec?.tls && table?.tls && { spec: spec.tls, table: table.tls };
}
