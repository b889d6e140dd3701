import { messageOf, StartError } from "./errors.ts";
import type { Log } from "./log.ts";
import type { ServerSpec, ServerTable } from "./model.ts";
import type { BackendsTls, Certificate, TlsSpec } from "./tls_model.ts";
import { isStrict } from "./strict_tls.ts";
import { authorities, readBackendsTls, refuseOldRuntime } from "./source/backends_tls.ts";
import { standIn } from "./acme/stand_in.ts";
import { readCertificates, type StandIn } from "./source/certificates.ts";
import type { PemPair } from "./source/pem.ts";

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

/** The part of a server's table that comes from files. */
export type Secured = Pick<ServerTable, "tls" | "backendsTls">;

/** What those files say. */
type Material = {
  readonly certificates?: readonly Certificate[] | undefined;
  /** Whose signatures clients' certificates need. */
  readonly clientsCa?: string | undefined;
  readonly backendsTls?: BackendsTls | undefined;
};

/** The certificates of the servers that speak TLS: read when they start, and again and again. */
export class ServerCertificates {
  /** Why a server's files couldn't be used, where the log has told of it. */
  readonly #told = new Map<string, string>();

  /** What the log has warned of, by server. */
  readonly #warned = new Map<string, readonly string[]>();

  /** Reads nothing yet. */
  constructor(readonly options: ServerCertificatesOptions) {}

  /**
   * For servers that are new or have changed, by name. Where files are those that are in use and can't be used any more,
   * what was read before stays.
   * @throws StartError when one can't be used.
   */
  async readAll(
    specs: readonly ServerSpec[],
    listening: ReadonlyMap<string, Listening>,
  ): Promise<ReadonlyMap<string, Secured>> {
    const found = new Map<string, Secured>();
    for (const spec of specs) found.set(spec.name, await this.#read(spec, listening));
    return found;
  }

  async #read(spec: ServerSpec, listening: ReadonlyMap<string, Listening>): Promise<Secured> {
    const server = listening.get(spec.name);
    if (server !== undefined && files(server.spec) === files(spec)) {
      const material = await this.#renewed(server) ?? materialOf(server.table);
      return this.#secured(spec, material);
    }
    const { material, warnings } = await this.#readFiles(spec, server);
    this.#warn(spec.name, warnings);
    return this.#secured(spec, material);
  }

  /** What is in use stays, where ACME has got nothing better. */
  #readFiles(spec: ServerSpec, server: Listening | undefined) {
    const nowMs = this.options.wallTime();
    return read(spec, nowMs, (host) => inUse(server, host) ?? standIn(host, nowMs));
  }

  /** Tells what is odd about a server's files, each thing once. */
  #warn(server: string, warnings: readonly string[]): void {
    const told = this.#warned.get(server) ?? [];
    this.#warned.set(server, warnings);
    for (const warning of warnings) {
      if (!told.includes(warning)) this.options.log.warning(warning, { server });
    }
  }

  /**
   * Reads those of running servers anew, and has what has changed used. What can't be used is logged, once, and the old
   * ones stay. True: all could be used.
   * @param use Has workers use them; false where not all do.
   * @param signal Ends it before the next use.
   */
  async renewAll<T extends Listening>(
    servers: readonly T[],
    use: (server: T, secured: Secured) => Promise<boolean>,
    signal?: AbortSignal,
  ): Promise<boolean> {
    let all = true;
    for (const server of servers) {
      const { name } = server.spec;
      const material = await this.#renewed(server);
      if (signal?.aborted) return false;
      if (material !== undefined) {
        if (await use(server, this.#secured(server.spec, material))) {
          this.options.log.info("certificates renewed", { server: name });
        } else all = false;
      }
      if (this.#told.has(name)) all = false;
    }
    return all;
  }

  /** What a running server's files say now; undefined where that is nothing new, or can't be used, which is logged once. */
  async #renewed(server: Listening): Promise<Material | undefined> {
    const { spec, table } = server;
    const { name } = spec;
    if (spec.tls === undefined && spec.backendsTls === undefined) return undefined;
    try {
      const { material, warnings } = await this.#readFiles(spec, server);
      const recovered = this.#told.delete(name);
      this.#warn(name, warnings);
      if (JSON.stringify(material) === JSON.stringify(materialOf(table))) {
        if (recovered) this.options.log.info("certificates can be used again", { server: name });
        return undefined;
      }
      return material;
    } catch (error) {
      this.#failed(name, error);
      return undefined;
    }
  }

  /** Forgets a server that has gone. */
  forget(name: string): void {
    this.#told.delete(name);
    this.#warned.delete(name);
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

  #secured({ tls }: ServerSpec, { certificates, clientsCa, backendsTls }: Material): Secured {
    return {
      ...tls && certificates ? { tls: this.#table(tls, certificates, clientsCa) } : {},
      ...backendsTls ? { backendsTls } : {},
    };
  }

  #table(spec: TlsSpec, certificates: readonly Certificate[], clientsCa?: string): Secured["tls"] {
    const { clients, maxUnfinished, ...rest } = spec;
    return {
      ...{ ...rest, certificates, maxUnfinished: Math.ceil(maxUnfinished / this.options.workers) },
      ...clients === undefined ? {} : {
        clients: { required: clients.required, allow: clients.allow, ca: clientsCa! },
      },
    };
  }
}

/** The certificate by ACME that a server shows for a host now. */
function inUse(server: Listening | undefined, host: string): PemPair | undefined {
  const at = server?.spec.tls?.certificates.findIndex(({ acmeHost }) => acmeHost === host) ?? -1;
  return server?.table.tls?.certificates[at];
}

/** Reads a server's files. @throws StartError */
async function read(spec: ServerSpec, nowMs: number, standIn: StandIn) {
  const { name, tls, backendsTls } = spec;
  if (isStrict(spec)) refuseOldRuntime(`servers.${name}.tls`);
  const own = tls && await readCertificates(tls.certificates, nowMs, standIn);
  const towards = backendsTls && await readBackendsTls(backendsTls, nowMs);
  const clients = tls?.clients;
  const material: Material = {
    certificates: own?.certificates,
    clientsCa: clients && await authorities(clients.caPath, clients.at),
    backendsTls: towards?.tls,
  };
  return { material, warnings: [...own?.warnings ?? [], ...towards?.warnings ?? []] };
}

/** The files of all certificates, keys and authorities of servers. */
export function filesOf(servers: Iterable<Listening>): string[] {
  return [...servers].flatMap(({ spec: { tls, backendsTls } }) => {
    const pairs = [...tls?.certificates ?? [], ...backendsTls?.pair ? [backendsTls.pair] : []];
    const trusted = [tls?.clients?.caPath, backendsTls?.caPath].filter((path) =>
      path !== undefined
    );
    return [...pairs.flatMap(({ certPath, keyPath }) => [certPath, keyPath]), ...trusted];
  });
}

/** What a server says of its files: where that is the same, the same files are read. */
function files({ tls, backendsTls }: ServerSpec): string {
  return JSON.stringify([tls?.certificates, tls?.clients?.caPath, backendsTls]);
}

/** What a server's files said when its table was made. */
function materialOf({ tls, backendsTls }: ServerTable): Material {
  return { certificates: tls?.certificates, clientsCa: tls?.clients?.ca, backendsTls };
}
