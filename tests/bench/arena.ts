/** What the measurements share: the programs that are here, the backend, a folder, and who says how far it is. */
import type { Certificate } from "../support/certificates.ts";
import { freePort } from "../support/clients.ts";
import type { Backend } from "./backend.ts";
import { Daemon } from "./daemon.ts";
import type { Progress } from "./progress.ts";
import type { Place, Proxy } from "./proxies.ts";
import type { ProxyResult } from "./results.ts";

/** A proxy that takes part, and its figures. */
export type Entrant = { readonly proxy: Proxy; readonly result: ProxyResult };

/** Everything that a measurement needs. */
export type Arena = {
  readonly entrants: readonly Entrant[];
  readonly backend: Backend;
  /** Undefined where it is missing. */
  readonly wrk: string | undefined;
  readonly wrkScript: string;
  readonly folder: string;
  /** Undefined where none could be made. */
  readonly certificate: Certificate | undefined;
  readonly rounds: number;
  readonly progress: Progress;
  /** Says what makes the result less exact. */
  note(text: string): void;
};

/** A proxy that runs. */
export type Running = { readonly daemon: Daemon; readonly port: number };

/** Starts a proxy on a port of its own. The caller disposes the daemon. */
export async function startProxy(
  { folder, backend, certificate }: Arena,
  proxy: Proxy,
  { bulk = false, tls = false }: { bulk?: boolean; tls?: boolean } = {},
): Promise<Running> {
  const place: Place = {
    folder,
    port: freePort(),
    backends: backend.addresses,
    bulk,
    ...tls ? { certificate: certificate! } : {},
  };
  const command = await proxy.command(proxy.program!, place);
  return { daemon: await Daemon.start(command, place.port), port: place.port };
}

/** The entrants in an order that begins with another one each round, so that nobody always follows the same. */
export function inTurn<T>(entrants: readonly T[], round: number): T[] {
  const first = round % entrants.length;
  return [...entrants.slice(first), ...entrants.slice(0, first)];
}
